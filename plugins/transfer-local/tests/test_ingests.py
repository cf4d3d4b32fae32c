"""Bytes into the store: checked, and without anything left behind when they are wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moorage_sdk import digests, errors
from moorage_sdk.descriptors import OCI_INDEX
from moorage_testkit.fakes.content import MemoryStore
from moorage_transfer_local import ingests
from moorage_transfer_local.stops import Stop

DATA = [b"one ", b"two"]
WHOLE = b"".join(DATA)
DIGEST = digests.of(WHOLE)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def put(
    store: MemoryStore, name: str = "a", size: int = len(WHOLE), expected: str = "", stop: Stop | None = None
) -> str:
    return ingests.store_stream(store, name, DATA, stop or Stop(), size=size, expected=expected)


@pytest.mark.parametrize("expected", ["", DIGEST])
def test_a_file_is_stored_under_its_digest(store: MemoryStore, expected: str) -> None:
    for _ in range(2):
        assert put(store, expected=expected) == DIGEST
    assert store.blobs == {DIGEST: WHOLE}
    assert store.ingests == {}


def test_bytes_that_are_there_are_not_even_read(store: MemoryStore) -> None:
    put(store)

    def untouched() -> Iterator[bytes]:
        pytest.fail("read")
        yield b""

    assert ingests.store_stream(store, "a", untouched(), Stop(), size=1, expected=DIGEST) == DIGEST


@pytest.mark.parametrize(("size", "expected"), [(len(WHOLE), digests.of(b"other")), (len(WHOLE) + 1, "")])
def test_wrong_bytes_are_data_loss_and_leave_nothing(store: MemoryStore, size: int, expected: str) -> None:
    with pytest.raises(errors.DataLoss, match='archive: "a"'):
        put(store, size=size, expected=expected)
    assert (store.blobs, store.ingests) == ({}, {})


def test_who_stops_leaves_nothing(store: MemoryStore) -> None:
    with pytest.raises(errors.Cancelled):
        put(store, stop=Stop(lambda: True))
    assert (store.blobs, store.ingests) == ({}, {})


@pytest.mark.parametrize("total", [0, len(WHOLE), 99])
def test_an_ingest_of_a_dead_daemon_is_taken_over_from_the_beginning(store: MemoryStore, total: int) -> None:
    with store.writer("tar-a", size=total) as writer:
        writer.write(b"something else")
    assert put(store) == DIGEST
    assert store.ingests == {}


def test_two_imports_of_one_name_do_not_wait_for_each_other(store: MemoryStore) -> None:
    with store.writer("tar-a", size=3) as writer:
        assert put(store) == DIGEST
        writer.write(b"abc")
    assert [status.ref for status in store.statuses()] == ["tar-a"]


@pytest.mark.parametrize("name", ["a b", "ä", "\udcff", "x" * 5000, "\n"])
def test_odd_names_make_no_odd_references(store: MemoryStore, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = []
    writer = store.writer
    monkeypatch.setattr(store, "writer", lambda ref, **rest: (refs.append(ref), writer(ref, **rest))[1])
    assert put(store, name) == DIGEST
    assert refs == [f"tar-{digests.of(name.encode('utf-8', 'surrogateescape'))}"]


def test_documents_are_stored_with_their_type(store: MemoryStore) -> None:
    for _ in range(2):
        descriptor = ingests.store_bytes(store, b"{}", OCI_INDEX)
    assert (descriptor.media_type, descriptor.digest, descriptor.size) == (OCI_INDEX, digests.of(b"{}"), 2)
    assert store.blobs == {descriptor.digest: b"{}"}


def test_what_is_there_can_be_held(store: MemoryStore) -> None:
    assert not ingests.hold(store, DIGEST)
    assert store.ingests == {}
    put(store)
    assert ingests.hold(store, DIGEST)


def test_bytes_of_unknown_number(store: MemoryStore) -> None:
    for _ in range(2):
        with ingests.fresh(store, "r") as writer:
            writer.write(WHOLE)
            assert ingests.commit(writer, {"l": "m"}) == DIGEST
    assert store.info(DIGEST).labels == {"l": "m"}
    with pytest.raises(ZeroDivisionError), ingests.fresh(store, "r") as writer:
        writer.write(WHOLE)
        raise ZeroDivisionError
    assert store.ingests == {}
