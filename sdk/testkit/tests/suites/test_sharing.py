"""That the suites notice a store of the other policy. Both are held against the metadata plugin."""

from collections import defaultdict
from collections.abc import Callable

import pytest

from moorage_sdk.content import ContentStore
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.suites.sharing import IsolatedContentSuite, SharedContentSuite, Stores


def apart() -> Stores:
    """Namespaces that know nothing of each other."""
    stores: defaultdict[str, ContentStore] = defaultdict(MemoryStore)
    return stores.__getitem__


class TestApart(IsolatedContentSuite):
    @pytest.fixture
    def stores(self) -> Stores:
        return apart()

    @pytest.fixture
    def offer(self) -> Callable[[str], None]:
        pytest.skip("nothing is offered here")


def test_the_suite_notices_that_nothing_is_shared() -> None:
    with pytest.raises(AssertionError):
        SharedContentSuite().test_a_blob_of_another_namespace_is_taken_over(apart())


def test_the_suite_notices_that_everything_is_shared() -> None:
    store = MemoryStore()
    with pytest.raises(Exception, match="already exists"):
        IsolatedContentSuite().test_a_blob_of_another_namespace_has_to_be_sent(lambda namespace: store)
