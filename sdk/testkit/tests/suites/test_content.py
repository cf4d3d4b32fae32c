"""The suite itself, held against the fake."""

import pytest

from moorage_sdk.content import ContentStore
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.suites.content import ContentSuite


class TestMemoryStore(ContentSuite):
    keeps_labels = True

    @pytest.fixture
    def store(self) -> ContentStore:
        return MemoryStore()
