from collections.abc import Callable
from typing import Any

import pytest

from moorage_sdk.content import ContentStore
from moorage_testkit.suites.content import ContentSuite


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
