from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import labels
from moorage_sdk.content import ContentStore
from moorage_sdk.namespaces import Namespace
from moorage_sdk.snapshots import Snapshotter
from moorage_testkit.fakes.rebasing import RebasingSnapshotter
from moorage_testkit.fakes.snapshotters import DirectorySnapshotter
from moorage_testkit.suites.content import ContentSuite
from moorage_testkit.suites.sharing import IsolatedContentSuite, SharedContentSuite, Stores
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


class TestSharedContent(SharedContentSuite):
    @pytest.fixture
    def stores(self, rig: Any) -> Stores:
        return lambda namespace: rig.view(namespace).content


class TestIsolatedContent(IsolatedContentSuite):
    @pytest.fixture
    def stores(self, isolated: Any) -> Stores:
        return lambda namespace: isolated.view(namespace).content

    @pytest.fixture
    def offer(self, isolated: Any) -> Callable[[str], None]:
        offered = {labels.SHAREABLE: "true"}
        return lambda namespace: isolated.database.namespaces.update(Namespace(namespace, offered))

    @pytest.fixture
    def isolated(self, make_rig: Callable[..., Any]) -> Any:
        return make_rig(shared=False)


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
