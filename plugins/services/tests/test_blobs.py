"""Small blobs in memory."""

from moorage_services.blobs import Blobs


def test_small_blobs_are_kept_and_large_ones_are_not() -> None:
    blobs = Blobs(small=3, total=100)
    blobs.keep("a", b"123")
    blobs.keep("b", b"1234")
    blobs.keep("empty", b"")
    assert [blobs.get(digest) for digest in ("a", "b", "empty", "c")] == [b"123", None, b"", None]


def test_what_nobody_asked_for_the_longest_goes_first() -> None:
    blobs = Blobs(small=4, total=10)
    for digest in ("a", "b"):
        blobs.keep(digest, b"1234")
    assert blobs.get("a")
    blobs.keep("c", b"1234")
    assert [blobs.get(digest) for digest in ("a", "b", "c")] == [b"1234", None, b"1234"]


def test_a_blob_counts_once() -> None:
    blobs = Blobs(small=4, total=8)
    for digest in ("a", "b", "b", "b"):
        blobs.keep(digest, b"1234")
    assert blobs.get("a") and blobs.get("b")
