"""What is in the store is there, what is not is not fetched from anywhere."""

from __future__ import annotations

import pytest

from moorage_sdk import digests, errors
from moorage_sdk.content import Info
from moorage_sdk.descriptors import OCI_LAYER, Descriptor
from moorage_testkit.fakes.content import MemoryStore
from moorage_transfer_local.feeds import Feed
from moorage_transfer_local.flights import Flights
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.stocks import Stock
from moorage_transfer_local.stops import Stop

DATA = b"a layer"
BLOB = Descriptor(OCI_LAYER, digests.of(DATA), len(DATA))


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    with store.writer("r") as writer:
        writer.write(DATA)
        writer.commit()
    return store


def stock(store: MemoryStore, stop: Stop | None = None) -> Stock:
    return Stock(store, "ns", Tracker("", lambda progress: None), Flights(), stop or Stop())


def test_a_blob_is_there_or_not_found(store: MemoryStore) -> None:
    feed = Feed()
    feed.bind(lambda: pytest.fail("nothing is streamed"))
    stock(store).blob(BLOB, feed)
    assert feed.finish() is None
    stock(store).blob(BLOB)
    store.delete(BLOB.digest)
    with pytest.raises(errors.NotFound, match=BLOB.digest):
        stock(store).blob(BLOB)


def test_documents_have_a_limit(store: MemoryStore) -> None:
    assert stock(store).document(BLOB, len(DATA)) == DATA
    with pytest.raises(errors.ResourceExhausted, match="larger than the limit of 6"):
        stock(store).document(BLOB, len(DATA) - 1)


def test_labels_are_set_beside_others(store: MemoryStore) -> None:
    store.update(Info(BLOB.digest, labels={"a": "1", "b": "2"}))
    stock(store).label(BLOB.digest, {"b": "3", "c": "4"})
    stock(store).label(BLOB.digest, {})
    assert store.info(BLOB.digest).labels == {"a": "1", "b": "3", "c": "4"}


def test_who_has_stopped_gets_nothing(store: MemoryStore) -> None:
    stop = Stop(lambda: True)
    with pytest.raises(errors.Cancelled):
        stock(store, stop).blob(BLOB)
    with pytest.raises(errors.Cancelled):
        stock(store, stop).document(BLOB, 100)
