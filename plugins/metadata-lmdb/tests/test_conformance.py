from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk.content import ContentStore
from moorage_sdk.snapshots import Snapshotter
from moorage_testkit.fakes.rebasing import RebasingSnapshotter
from moorage_testkit.fakes.snapshotters import DirectorySnapshotter
from moorage_testkit.suites.content import ContentSuite
from moorage_testkit.suites.snapshots import SnapshotSuite


class TestContentView(ContentSuite):
    keeps_labels = True

    @pytest.fixture
    def store(self, rig: Any) -> ContentStore:
        view: ContentStore = rig.view().content
        return view


class TestIsolatedContentView(ContentSuite):
    keeps_labels = True

    @pytest.fixture
    def store(self, make_rig: Callable[..., Any]) -> ContentStore:
        view: ContentStore = make_rig(shared=False).view().content
        return view


class TestSnapshotView(SnapshotSuite):
    @pytest.fixture
    def snapshotter(self, rig: Any, tmp_path: Path) -> Snapshotter:
        rig.snapshotters["directory"] = DirectorySnapshotter(tmp_path / "snapshots")
        view: Snapshotter = rig.view().snapshotter("directory")
        return view


class TestRebasingSnapshotView(SnapshotSuite):
    rebases = True

    @pytest.fixture
    def snapshotter(self, rig: Any, tmp_path: Path) -> Snapshotter:
        rig.snapshotters["rebasing"] = RebasingSnapshotter(tmp_path / "snapshots")
        view: Snapshotter = rig.view().snapshotter("rebasing")
        return view
