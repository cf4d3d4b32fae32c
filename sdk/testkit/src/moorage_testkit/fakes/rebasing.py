"""A snapshotter of plain directories that can be told a snapshot's parent only when it is committed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace

from moorage_sdk import errors
from moorage_sdk.labels import SNAPSHOT_REF
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Kind
from moorage_testkit.fakes import layers
from moorage_testkit.fakes.snapshotters import DirectorySnapshotter


class RebasingSnapshotter(DirectorySnapshotter):
    """What is committed with a parent is laid over a copy of it; whiteouts are expected as files (``.wh.name``)."""

    def prepare(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        """Answers for a snapshot that is there under the name in ``labels.SNAPSHOT_REF``, as a namespaced view does."""
        name = (labels or {}).get(SNAPSHOT_REF, "")
        if name in self.infos:
            raise errors.AlreadyExists(f'target snapshot "{name}": already exists')
        return super().prepare(key, parent, labels)

    def commit(self, name: str, key: str, labels: Mapping[str, str] | None = None, parent: str = "") -> None:
        with self._guard:
            if parent and not self.stat(key).parent and name not in self.infos:
                self._rebase(key, parent)
            super().commit(name, key, labels, parent)

    def _rebase(self, key: str, parent: str) -> None:
        if self.stat(parent).kind is not Kind.COMMITTED:
            raise errors.InvalidArgument(f'parent "{parent}": not committed: invalid argument')
        merged = self.root / f"{self.folders[key].name}-rebased"
        shutil.copytree(self.folders[parent], merged, symlinks=True)
        layers.merge(self.folders[key], merged)
        shutil.rmtree(self.folders[key])
        self.folders[key] = merged
        self.infos[key] = replace(self.infos[key], parent=parent)
