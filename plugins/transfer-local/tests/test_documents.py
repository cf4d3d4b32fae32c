from __future__ import annotations

import time

import pytest

from moorage_sdk import errors
from moorage_transfer_local.documents import MAX_DEPTH, MAX_VALUES, dump, load, load_list


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


def test_lists_are_lists_or_null() -> None:
    assert load_list(b"[1]", "it") == [1]
    assert load_list(b"null", "it") is None
    for data in (b"{}", b'"x"', b"[", b"[" * 100):
        with pytest.raises(errors.InvalidArgument, match="it: "):
            load_list(data, "it")


def test_values_have_a_limit() -> None:
    assert len(load_list(b"[" + b"1," * MAX_VALUES + b"1]", "it") or []) == MAX_VALUES + 1
    with pytest.raises(errors.InvalidArgument, match="values"):
        load_list(b"[" + b"1," * (MAX_VALUES + 1) + b"1]", "it")


def test_half_a_character_is_refused_and_a_whole_one_is_not() -> None:
    assert load(b'{"a":"\\ud83d\\ude00"}', "it") == {"a": "\U0001f600"}
    for half in (b"\\ud83d", b"\\uDE00"):
        with pytest.raises(errors.InvalidArgument, match="not acceptable JSON"):
            load(b'{"a":"' + half + b'"}', "it")


def test_documents_are_written_as_go_writes_them() -> None:
    assert dump({"b": [1, None, "<&>"], "a": "ü\u2028"}) == (
        '{"b":[1,null,"\\u003c\\u0026\\u003e"],"a":"ü\\u2028"}'.encode()
    )
