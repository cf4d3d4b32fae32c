"""The suite itself, held against the fake; and that it notices a store that is wrong."""

import pytest

from moorage_sdk.content import ContentStore
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.suites.content import ContentSuite, make_bytes


class TestMemoryStore(ContentSuite):
    keeps_labels = True

    @pytest.fixture
    def store(self) -> ContentStore:
        return MemoryStore()


class Forgetful(MemoryStore):
    def abort(self, ref: str) -> None:
        self.status(ref)


def test_suite_notices_an_ingest_that_stays() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        ContentSuite().test_abort_forgets_the_ingest(Forgetful())


def test_bytes_are_the_same_every_time() -> None:
    assert make_bytes(10, 1) == make_bytes(10, 1) != make_bytes(10, 2)
