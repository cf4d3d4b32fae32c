from pathlib import Path

import pytest

from moorage_content_local.stores import LocalStore
from moorage_testkit.suites.content import ContentSuite


class TestLocalStore(ContentSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore(tmp_path / "root")
