"""The snapshots service as snapshotters: the suite of the slot, over the socket, on the files of the same host."""

import pytest

from moorage_testkit.remotes import Remote, RemoteSnapshotter
from moorage_testkit.suites.filters import FilterSuite
from moorage_testkit.suites.snapshots import SnapshotSuite


@pytest.fixture
def filtering(snapshotter: RemoteSnapshotter) -> RemoteSnapshotter:
    return snapshotter


class TestOverlayService(SnapshotSuite, FilterSuite):
    renames_directories = False
    rebases = True

    @pytest.fixture
    def snapshotter(self, remote: Remote) -> RemoteSnapshotter:
        return remote.snapshotter("overlayfs")


class TestNativeService(SnapshotSuite, FilterSuite):
    @pytest.fixture
    def snapshotter(self, remote: Remote) -> RemoteSnapshotter:
        return remote.snapshotter("native")
