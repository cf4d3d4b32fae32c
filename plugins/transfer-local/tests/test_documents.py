from __future__ import annotations

import time

import pytest

from moorage_sdk import errors
from moorage_transfer_local.documents import MAX_DEPTH, load


def test_an_object_is_read() -> None:
    assert load(b'{"a": [1, {"b": "[[[\\"{{"}], "c": null}', "it") == {"a": [1, {"b": '[[["{{'}], "c": None}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a":1,"a":1}', 'duplicate key "a"'),
        (b'{"x":{"a":1,"a":2}}', "duplicate key"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "Infinity"),
        (b"\xef\xbb\xbf{}", "JSON"),
        (b"\xff", "JSON"),
        (b"", "JSON"),
        (b'{"a":' + b"9" * 10_000 + b"}", "JSON"),
        (b'{"a":' + b"[" * (MAX_DEPTH) + b"]" * MAX_DEPTH + b"}", "nested deeper"),
        (b"[" * 1_000_000, "nested deeper"),
    ],
)
def test_what_is_ambiguous_or_malicious_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="it: ") as caught:
        load(data, "it")
    assert why in str(caught.value)


def test_the_deepest_allowed_nesting_is_read() -> None:
    load(b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}", "it")


def test_many_duplicates_take_no_time() -> None:
    began = time.monotonic()
    with pytest.raises(errors.InvalidArgument):
        load(b"{" + b",".join(b'"%d":0' % (n % 200_000) for n in range(200_001)) + b"}", "it")
    assert time.monotonic() - began < 10


def test_a_string_without_an_end_takes_no_time() -> None:
    """It did take hours, with the interpreter lock held: each quote in it was tried as a beginning of its own."""
    began = time.monotonic()
    with pytest.raises(errors.InvalidArgument, match="it: "):
        load(b'{"' + b'\\"' * 50_000, "it")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("data", [b'{"a":"[[', b'{"a":"\\', b'{"a":"[\\"'])
def test_a_string_without_an_end_is_refused(data: bytes) -> None:
    with pytest.raises(errors.InvalidArgument, match="not acceptable JSON"):
        load(data, "it")
