"""The snapshots service as snapshotters: the suite of the slot, over the socket, on the files of the same host."""

import pytest

from moorage_sdk.snapshots import Snapshotter
from moorage_testkit.remotes import Remote
from moorage_testkit.suites.snapshots import SnapshotSuite


class TestOverlayService(SnapshotSuite):
    renames_directories = False
    rebases = True

    @pytest.fixture
    def snapshotter(self, remote: Remote) -> Snapshotter:
        return remote.snapshotter("overlayfs")


class TestNativeService(SnapshotSuite):
    @pytest.fixture
    def snapshotter(self, remote: Remote) -> Snapshotter:
        return remote.snapshotter("native")
