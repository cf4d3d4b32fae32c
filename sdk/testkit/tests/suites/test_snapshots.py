"""The suite itself, held against the fake; and that it notices a snapshotter that is wrong."""

from pathlib import Path

import pytest

from moorage_testkit.fakes.snapshotters import DirectorySnapshotter
from moorage_testkit.suites.snapshots import SnapshotSuite


class TestDirectorySnapshotter(SnapshotSuite):
    @pytest.fixture
    def snapshotter(self, tmp_path: Path) -> DirectorySnapshotter:
        return DirectorySnapshotter(tmp_path / "root")


class Careless(DirectorySnapshotter):
    def remove(self, key: str) -> None:
        self.infos.pop(key)


def test_suite_notices_a_removal_without_regard_to_children(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        SnapshotSuite().test_remove_goes_from_the_top(Careless(tmp_path))
