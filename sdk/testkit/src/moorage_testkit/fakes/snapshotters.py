"""A snapshotter over plain directories that forgets its names when the process ends."""

from __future__ import annotations

import itertools
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from moorage_sdk import errors, masks
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Info, Kind, Snapshotter, Usage
from moorage_sys import usages


class DirectorySnapshotter(Snapshotter):
    """Each snapshot is a full copy beneath ``root``, made by ``cp``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.infos: dict[str, Info] = {}
        self.folders: dict[str, Path] = {}
        self._numbers = itertools.count(1)
        self._guard = threading.RLock()

    def stat(self, key: str) -> Info:
        try:
            return self.infos[key]
        except KeyError:
            raise errors.NotFound(f'snapshot "{key}": not found') from None

    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        before = self.stat(info.name)
        masks.check(paths, ("labels", "labels."), f'snapshot "{info.name}"')
        labels = masks.update_map(before.labels, info.labels, paths or ("labels",))
        self.infos[info.name] = replace(before, labels=labels, updated_at=time.time_ns())
        return self.infos[info.name]

    def usage(self, key: str) -> Usage:
        self.stat(key)
        found = usages.of(self.folders[key])
        return Usage(found.size, found.inodes)

    def mounts(self, key: str) -> tuple[Mount, ...]:
        kind = self.stat(key).kind
        if kind is Kind.COMMITTED:
            raise errors.FailedPrecondition(f'snapshot "{key}" is not active or view: failed precondition')
        return (Mount("bind", str(self.folders[key]), ("rbind", "ro" if kind is Kind.VIEW else "rw")),)

    def prepare(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        return self._create(Kind.ACTIVE, key, parent, labels or {})

    def view(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        return self._create(Kind.VIEW, key, parent, labels or {})

    def commit(self, name: str, key: str, labels: Mapping[str, str] | None = None, parent: str = "") -> None:
        with self._guard:
            active = self.stat(key)
            if name in self.infos:
                raise errors.AlreadyExists(f'committed snapshot "{name}": already exists')
            if active.kind is not Kind.ACTIVE:
                raise errors.FailedPrecondition(f'snapshot "{key}" is not active: failed precondition')
            if parent and parent != active.parent:
                raise errors.Unimplemented(f'snapshot "{key}": cannot get another parent: not implemented')
            now = time.time_ns()
            self.infos[name] = Info(Kind.COMMITTED, name, active.parent, dict(labels or {}), now, now)
            self.folders[name] = self.folders.pop(key)
            del self.infos[key]

    def remove(self, key: str) -> None:
        with self._guard:
            self.stat(key)
            if any(info.parent == key for info in self.infos.values()):
                raise errors.FailedPrecondition(f'cannot remove snapshot "{key}" with child: failed precondition')
            del self.infos[key]
            subprocess.run(["/bin/rm", "-rf", "--one-file-system", str(self.folders.pop(key))], check=True)

    def walk(self) -> Iterator[Info]:
        return iter([self.infos[name] for name in sorted(self.infos)])

    def close(self) -> None:
        return

    def _create(self, kind: Kind, key: str, parent: str, labels: Mapping[str, str]) -> tuple[Mount, ...]:
        with self._guard:
            if not key:
                raise errors.InvalidArgument("snapshot key must not be empty: invalid argument")
            if parent and self.stat(parent).kind is not Kind.COMMITTED:
                raise errors.InvalidArgument(f'parent "{parent}" is not committed snapshot: invalid argument')
            if key in self.infos:
                raise errors.AlreadyExists(f'snapshot "{key}": already exists')
            folder = self.root / str(next(self._numbers))
            if parent:
                subprocess.run(["/bin/cp", "-a", str(self.folders[parent]), str(folder)], check=True)
            else:
                folder.mkdir()
                folder.chmod(0o755)
            now = time.time_ns()
            self.infos[key] = Info(kind, key, parent, dict(labels), now, now)
            self.folders[key] = folder
            return self.mounts(key)
