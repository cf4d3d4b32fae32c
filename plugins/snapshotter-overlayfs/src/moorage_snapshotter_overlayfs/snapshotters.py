"""The snapshotter: directories and their records, in an order that a crash cannot hurt."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from moorage_kv.snapshots import Record, Records
from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Info, Kind, Snapshotter, Usage
from moorage_snapshotter_overlayfs import plans
from moorage_snapshotter_overlayfs.plans import Layout
from moorage_sys import faults, paths, syncing, usages

UPPERDIR_LABEL = "containerd.io/snapshot/overlay.upperdir"
log = logging.getLogger(__name__)


class OverlaySnapshotter(Snapshotter):
    """Layers beneath ``root``. The directory exists before its record, and goes after it."""

    def __init__(
        self,
        root: Path,
        *,
        options: tuple[str, ...] = (),
        upperdir_label: bool = False,
        sync_remove: bool = False,
        sync_commit: bool = True,
        maps_ids: bool = False,
    ) -> None:
        """Raises OSError, and as ``Store.open`` does."""
        self._layout = Layout(root / "snapshots", options, maps_ids)
        self._upperdir_label = upperdir_label
        self._sync_remove = sync_remove
        self._sync_commit = sync_commit
        for folder in (root, self._layout.folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        self._records = Records.open(root / "records", self._names())

    @property
    def stat_waits(self) -> bool:
        return False

    def stat(self, key: str) -> Info:
        return self._info(self._records.get(key))

    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        return self._info(self._records.update(info, paths))

    def usage(self, key: str) -> Usage:
        record = self._records.get(key)
        return self._measure(record) if record.info.kind is Kind.ACTIVE else record.usage

    def mounts(self, key: str) -> tuple[Mount, ...]:
        lineage = self._records.lineage(key)
        if lineage[0].info.kind is Kind.COMMITTED:
            raise errors.FailedPrecondition(f'snapshot "{key}" is not active or view: failed precondition')
        return plans.mounts(self._layout, lineage)

    def prepare(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        return self._create(Kind.ACTIVE, key, parent, labels or {})

    def view(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        return self._create(Kind.VIEW, key, parent, labels or {})

    def commit(self, name: str, key: str, labels: Mapping[str, str] | None = None, parent: str = "") -> None:
        record = self._records.get(key)
        usage = Usage()
        if record.info.kind is Kind.ACTIVE:
            with faults.translated(f'snapshot "{key}"'):
                if self._sync_commit:
                    syncing.sync_filesystem(self._layout.upper(record.number))
                usage = self._measure(record)
        self._records.commit(name, key, usage, labels, parent)

    def remove(self, key: str) -> None:
        record = self._records.remove(key)
        if self._sync_remove:
            self._discard(str(record.number))

    def walk(self) -> Iterator[Info]:
        return iter([self._info(record) for record in self._records.walk()])

    def cleanup(self) -> None:
        for name in self._records.leftovers(self._names()):
            self._discard(name)

    def close(self) -> None:
        self._records.close()

    def _create(self, kind: Kind, key: str, parent: str, labels: Mapping[str, str]) -> tuple[Mount, ...]:
        self._records.check(key, parent)
        owner = plans.mapped_root(labels)
        with self._records.reserve() as number:
            try:
                with faults.translated(f'snapshot "{key}"'):
                    self._make_directories(kind, number, parent, owner)
                self._records.create(number, kind, key, parent, labels)
            except BaseException:
                self._discard(str(number))
                raise
        return plans.mounts(self._layout, self._records.lineage(key))

    def _make_directories(self, kind: Kind, number: int, parent: str, owner: tuple[int, int] | None) -> None:
        upper, work = self._layout.upper(number), self._layout.work(number)
        upper.parent.mkdir(mode=0o700)
        upper.mkdir(mode=0o700)
        upper.chmod(0o755)
        if kind is Kind.ACTIVE:
            work.mkdir(mode=0o700)
            work.chmod(0o711)
        if parent:
            # The upper directory is the root that a container sees, so it must look as the one below it does.
            status = self._layout.upper(self._records.get(parent).number).stat()
            upper.chmod(stat.S_IMODE(status.st_mode))
            owner = owner or (status.st_uid, status.st_gid)
        if owner is not None:
            os.chown(upper, *owner)
        syncing.sync_directory(upper.parent)
        syncing.sync_directory(self._layout.folder)

    def _info(self, record: Record) -> Info:
        if not self._upperdir_label:
            return record.info
        labels = {**record.info.labels, UPPERDIR_LABEL: str(self._layout.upper(record.number))}
        return replace(record.info, labels=labels)

    def _measure(self, record: Record) -> Usage:
        found = usages.of(self._layout.upper(record.number))
        return Usage(found.size, found.inodes)

    def _names(self) -> list[str]:
        return sorted(entry.name for entry in self._layout.folder.iterdir())

    def _discard(self, name: str) -> None:
        """Remove a directory whose snapshot is gone already: a failure is no reason to fail the caller."""
        try:
            paths.remove_tree(self._layout.folder / name)
        except (OSError, errors.FailedPrecondition) as error:
            log.warning("snapshot directory %s: left for the next cleanup: %s", self._layout.folder / name, error)
