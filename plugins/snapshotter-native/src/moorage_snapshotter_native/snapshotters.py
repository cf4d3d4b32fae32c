"""The snapshotter: which directory is which snapshot."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from moorage_kv.snapshots import Record, Records
from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Info, Kind, Snapshotter, Usage
from moorage_snapshotter_native import copies
from moorage_sys import faults, paths, syncing, usages

log = logging.getLogger(__name__)


class NativeSnapshotter(Snapshotter):
    """Full copies beneath ``root``. A view shares its parent's directory, which never changes."""

    def __init__(self, root: Path) -> None:
        """Raises OSError, and as ``Store.open`` does."""
        self._trees = root / "snapshots"
        for folder in (root, self._trees):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        self._records = Records.open(root / "records", self._names())

    @property
    def stat_waits(self) -> bool:
        return False

    def stat(self, key: str) -> Info:
        return self._records.get(key).info

    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        return self._records.update(info, paths).info

    def usage(self, key: str) -> Usage:
        record = self._records.get(key)
        return self._measure(record) if record.info.kind is Kind.ACTIVE else record.usage

    def mounts(self, key: str) -> tuple[Mount, ...]:
        lineage = self._records.lineage(key)
        if lineage[0].info.kind is Kind.COMMITTED:
            raise errors.FailedPrecondition(f'snapshot "{key}" is not active or view: failed precondition')
        return self._mounts(lineage)

    def prepare(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        return self._create(Kind.ACTIVE, key, parent, labels)

    def view(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        return self._create(Kind.VIEW, key, parent, labels)

    def commit(self, name: str, key: str, labels: Mapping[str, str] | None = None, parent: str = "") -> None:
        record = self._records.get(key)
        if parent and parent != record.info.parent:
            raise errors.Unimplemented(f'snapshot "{key}": a full copy cannot get another parent: not implemented')
        with faults.translated(f'snapshot "{key}"'):
            if record.info.kind is Kind.ACTIVE:
                syncing.sync_filesystem(self._tree(record.number))
            usage = self._measure(record)
        self._records.commit(name, key, usage, labels)

    def remove(self, key: str) -> None:
        self._discard(str(self._records.remove(key).number))

    def walk(self) -> Iterator[Info]:
        return iter([record.info for record in self._records.walk()])

    def cleanup(self) -> None:
        for name in self._records.leftovers(self._names()):
            self._discard(name)

    def close(self) -> None:
        self._records.close()

    def _create(self, kind: Kind, key: str, parent: str, labels: Mapping[str, str] | None) -> tuple[Mount, ...]:
        self._records.check(key, parent)
        with self._records.reserve() as number:
            try:
                if kind is Kind.ACTIVE or not parent:
                    with faults.translated(f'snapshot "{key}"'):
                        self._make_tree(self._tree(number), parent)
                self._records.create(number, kind, key, parent, labels)
            except BaseException:
                self._discard(str(number))
                raise
        return self._mounts(self._records.lineage(key))

    def _make_tree(self, tree: Path, parent: str) -> None:
        tree.mkdir(mode=0o700)
        tree.chmod(0o755)
        if parent:
            copies.copy_tree(self._tree(self._records.get(parent).number), tree)
        syncing.sync_directory(self._trees)

    def _mounts(self, lineage: Sequence[Record]) -> tuple[Mount, ...]:
        newest = lineage[0]
        read_only = newest.info.kind is Kind.VIEW
        tree = self._tree(lineage[1].number if read_only and len(lineage) > 1 else newest.number)
        return (Mount("bind", str(tree), ("rbind", "ro" if read_only else "rw")),)

    def _measure(self, record: Record) -> Usage:
        tree = self._tree(record.number)
        if not tree.exists():
            return Usage()
        found = usages.of(tree)
        return Usage(found.size, found.inodes)

    def _tree(self, number: int) -> Path:
        return self._trees / str(number)

    def _names(self) -> list[str]:
        return sorted(entry.name for entry in self._trees.iterdir())

    def _discard(self, name: str) -> None:
        """Remove a directory whose snapshot is gone already: a failure is no reason to fail the caller."""
        try:
            paths.remove_tree(self._trees / name)
        except (OSError, errors.FailedPrecondition) as error:
            log.warning("snapshot directory %s: left for the next cleanup: %s", self._trees / name, error)
