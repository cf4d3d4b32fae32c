"""Content of several namespaces in one store. After the suites for two namespaces in ``core/content/testsuite`` of
containerd v2.3: one for each sharing policy.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from moorage_sdk import digests, errors
from moorage_sdk.content import ContentStore
from moorage_testkit.suites.blobs import check_blob, make_bytes, put, read, span

DATA = make_bytes(1000)
DIGEST = digests.of(DATA)

Stores = Callable[[str], ContentStore]
"""The store of a namespace, by its name."""


def check_taken_over(store: ContentStore) -> None:
    """A blob that another namespace has needs no bytes: it is there when the writer opens, and becomes one's own."""
    before = time.time_ns()
    with store.writer("ref", size=len(DATA), expected=DIGEST) as writer:
        status = writer.status()
        assert (status.ref, status.offset, status.total) == ("ref", len(DATA), len(DATA))
        assert before <= status.started_at <= status.updated_at <= time.time_ns()
        assert writer.digest() == DIGEST
        with pytest.raises(errors.NotFound):
            store.info(DIGEST)
        with span() as committed:
            assert writer.commit(len(DATA), DIGEST) == DIGEST
    check_blob(store, DATA, committed)
    assert store.statuses() == []


def check_sent(store: ContentStore) -> None:
    """A writer that begins with nothing, as if no other namespace had the blob."""
    before = time.time_ns()
    with store.writer("ref", size=len(DATA), expected=DIGEST) as writer:
        status = writer.status()
        assert (status.offset, writer.digest()) == (0, digests.of(b""))
        assert before <= status.started_at <= time.time_ns()
        writer.write(DATA)
        with span() as committed:
            assert writer.commit(len(DATA), DIGEST) == DIGEST
    check_blob(store, DATA, committed)


class SharedContentSuite:
    """Provide a fixture ``stores``."""

    @pytest.fixture
    def stores(self) -> Stores:
        raise NotImplementedError("the deriving class makes the stores")

    def test_a_blob_of_another_namespace_is_taken_over(self, stores: Stores) -> None:
        put(stores("first"), DATA)
        check_taken_over(stores("second"))
        assert read(stores("first"), DIGEST) == DATA

    def test_what_is_appended_to_it_is_not_the_others(self, stores: Stores) -> None:
        put(stores("first"), DATA)
        longer = DATA + b"appended bytes"
        with stores("second").writer("ref", size=len(DATA), expected=DIGEST) as writer:
            assert writer.status().offset == len(DATA)
            writer.write(b"appended bytes")
            assert writer.digest() == digests.of(longer)
            assert writer.commit(len(longer), digests.of(longer)) == digests.of(longer)
        assert read(stores("first"), DIGEST) == DATA
        assert read(stores("second"), digests.of(longer)) == longer
        assert [info.digest for info in stores("second").walk()] == [digests.of(longer)]

    def test_deleting_ones_own_leaves_the_others(self, stores: Stores) -> None:
        put(stores("first"), DATA)
        check_taken_over(stores("second"))
        stores("first").delete(DIGEST)
        assert read(stores("second"), DIGEST) == DATA
        check_taken_over(stores("first"))


class IsolatedContentSuite:
    """Provide a fixture ``stores``, and ``offer``, which makes what a namespace has available to all others."""

    @pytest.fixture
    def stores(self) -> Stores:
        raise NotImplementedError("the deriving class makes the stores")

    @pytest.fixture
    def offer(self) -> Callable[[str], None]:
        raise NotImplementedError("the deriving class labels the namespace")

    def test_a_blob_of_another_namespace_has_to_be_sent(self, stores: Stores) -> None:
        put(stores("first"), DATA)
        check_sent(stores("second"))

    def test_what_a_namespace_offers_is_taken_over(self, stores: Stores, offer: Callable[[str], None]) -> None:
        put(stores("first"), DATA)
        offer("first")
        check_taken_over(stores("second"))

    def test_what_was_taken_over_is_not_offered(self, stores: Stores, offer: Callable[[str], None]) -> None:
        put(stores("first"), DATA)
        offer("first")
        check_taken_over(stores("second"))
        stores("first").delete(DIGEST)
        check_sent(stores("third"))
