from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_snapshotter_native.snapshotters import NativeSnapshotter
from moorage_testkit.suites.snapshots import SnapshotSuite


class TestNativeSnapshotter(SnapshotSuite):
    @pytest.fixture
    def snapshotter(self, tmp_path: Path) -> Iterator[NativeSnapshotter]:
        snapshotter = NativeSnapshotter(tmp_path / "root")
        yield snapshotter
        snapshotter.close()
