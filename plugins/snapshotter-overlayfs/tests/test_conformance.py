from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_snapshotter_overlayfs import features
from moorage_snapshotter_overlayfs.snapshotters import OverlaySnapshotter
from moorage_testkit.suites.snapshots import SnapshotSuite


class TestOverlaySnapshotter(SnapshotSuite):
    renames_directories = False
    rebases = True

    @pytest.fixture
    def snapshotter(self, tmp_path: Path) -> Iterator[OverlaySnapshotter]:
        snapshotter = OverlaySnapshotter(tmp_path / "root", options=features.options(tmp_path, ()))
        yield snapshotter
        snapshotter.close()


class TestEverySetting(SnapshotSuite):
    renames_directories = False
    rebases = True
    own_labels = ("containerd.io/snapshot/overlay.upperdir",)

    @pytest.fixture
    def snapshotter(self, tmp_path: Path) -> Iterator[OverlaySnapshotter]:
        root = tmp_path / "root"
        settings = {"upperdir_label": True, "sync_remove": True, "sync_commit": False, "maps_ids": True}
        snapshotter = OverlaySnapshotter(root, options=features.options(root.parent, ("metacopy=off",)), **settings)
        yield snapshotter
        snapshotter.close()
