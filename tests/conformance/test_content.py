"""The content service as a content store: the suite of the slot, over the socket."""

import pytest

from moorage_sdk.content import ContentStore
from moorage_testkit.remotes import Remote
from moorage_testkit.suites.content import ContentSuite


class TestContentService(ContentSuite):
    keeps_labels = True
    truncates = False
    holds = False

    @pytest.fixture
    def store(self, remote: Remote) -> ContentStore:
        return remote.content
