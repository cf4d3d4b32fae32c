"""A snapshotter of plain directories that can be told a snapshot's parent only when it is committed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace

from moorage_sdk import errors
from moorage_sdk.snapshots import Kind
from moorage_testkit.fakes import layers
from moorage_testkit.fakes.snapshotters import DirectorySnapshotter


class RebasingSnapshotter(DirectorySnapshotter):
    """What is committed with a parent is laid over a copy of it; whiteouts are expected as files (``.wh.name``)."""

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
