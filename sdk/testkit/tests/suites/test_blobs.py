import time

import pytest

from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.suites.blobs import check_blob, make_bytes, pieces, put, read, span


def test_bytes_are_the_same_every_time() -> None:
    assert make_bytes(10, 1) == make_bytes(10, 1) != make_bytes(10, 2)


def test_what_is_put_is_read() -> None:
    store = MemoryStore()
    assert read(store, put(store, b"blob")) == b"blob"


def test_a_span_knows_what_happened_meanwhile() -> None:
    before = time.time_ns()
    with span() as measured:
        inside = time.time_ns()
    assert inside in measured
    assert before - 1 not in measured and measured.end + 1 not in measured


def test_a_blob_of_another_time_is_noticed() -> None:
    store = MemoryStore()
    put(store, b"blob")
    with span() as later, pytest.raises(AssertionError):
        later.end = time.time_ns()
        check_blob(store, b"blob", later)


def test_pieces_are_all_of_it() -> None:
    assert list(pieces(b"abcde", 2)) == [b"ab", b"cd", b"e"]
