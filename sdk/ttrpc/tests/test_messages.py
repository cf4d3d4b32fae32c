"""Our codec against Google's, on the same messages and on arbitrary bytes."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from moorage_sdk import errors
from moorage_ttrpc import messages

Field = descriptor_pb2.FieldDescriptorProto


def build() -> dict[str, Any]:
    """The messages of ttrpc as Google's runtime sees them; ``Any`` is bytes here, as it is in ours."""
    file = descriptor_pb2.FileDescriptorProto(name="ttrpc-test.proto", package="t", syntax="proto3")
    tables: dict[str, list[tuple[str, int, int, int, str]]] = {
        "KeyValue": [("key", 1, Field.TYPE_STRING, 1, ""), ("value", 2, Field.TYPE_STRING, 1, "")],
        "Request": [
            ("service", 1, Field.TYPE_STRING, 1, ""),
            ("method", 2, Field.TYPE_STRING, 1, ""),
            ("payload", 3, Field.TYPE_BYTES, 1, ""),
            ("timeout_nano", 4, Field.TYPE_INT64, 1, ""),
            ("metadata", 5, Field.TYPE_MESSAGE, 3, ".t.KeyValue"),
        ],
        "Status": [
            ("code", 1, Field.TYPE_INT32, 1, ""),
            ("message", 2, Field.TYPE_STRING, 1, ""),
            ("details", 3, Field.TYPE_BYTES, 3, ""),
        ],
        "Response": [("status", 1, Field.TYPE_MESSAGE, 1, ".t.Status"), ("payload", 2, Field.TYPE_BYTES, 1, "")],
    }
    for name, fields in tables.items():
        message = file.message_type.add(name=name)
        for field, number, kind, label, type_name in fields:
            message.field.add(name=field, number=number, type=kind, label=label, type_name=type_name or None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{name}")) for name in tables}


GOOGLE = build()
text = st.text(st.characters(codec="utf-8"), max_size=40)
requests = st.builds(
    messages.Request,
    text,
    text,
    st.binary(max_size=300),
    st.integers(-(2**63), 2**63 - 1),
    st.lists(st.tuples(text, text), max_size=4).map(tuple),
)
responses = st.builds(
    messages.Response,
    st.builds(
        messages.Status,
        st.integers(-(2**31), 2**31 - 1),
        text,
        st.lists(st.binary(max_size=40), max_size=3).map(tuple),
    ),
    st.binary(max_size=300),
)


def google_request(request: messages.Request) -> Any:
    return GOOGLE["Request"](
        service=request.service,
        method=request.method,
        payload=request.payload,
        timeout_nano=request.timeout_nano,
        metadata=[GOOGLE["KeyValue"](key=key, value=value) for key, value in request.metadata],
    )


def from_google_request(theirs: Any) -> messages.Request:
    pairs = tuple((pair.key, pair.value) for pair in theirs.metadata)
    return messages.Request(theirs.service, theirs.method, theirs.payload, theirs.timeout_nano, pairs)


def from_google_response(theirs: Any) -> messages.Response:
    status = messages.Status(theirs.status.code, theirs.status.message, tuple(theirs.status.details))
    return messages.Response(status, theirs.payload)


@given(requests)
def test_requests_are_written_and_read_as_google_does(request: messages.Request) -> None:
    encoded = messages.encode_request(request)
    assert encoded == google_request(request).SerializeToString()
    assert messages.decode_request(encoded) == request


@given(responses)
def test_responses_are_read_by_google_and_back(response: messages.Response) -> None:
    encoded = messages.encode_response(response)
    theirs = GOOGLE["Response"].FromString(encoded)
    assert from_google_response(theirs) == response
    assert messages.decode_response(theirs.SerializeToString()) == response


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_judged_as_google_judges_them(data: bytes) -> None:
    try:
        theirs = from_google_request(GOOGLE["Request"].FromString(data))
    except (DecodeError, UnicodeDecodeError):
        theirs = None
    try:
        ours = messages.decode_request(data)
    except errors.InvalidArgument:
        ours = None
    if ours is not None:  # groups, which Google skips and we refuse, are the one thing we take less of
        assert ours == theirs


@given(st.binary(max_size=80))
def test_arbitrary_bytes_never_do_more_than_raise(data: bytes) -> None:
    for decode in (messages.decode_request, messages.decode_response, messages.decode_status):
        try:
            decode(data)
        except errors.InvalidArgument as error:
            assert "malformed" in str(error)


@given(requests, st.binary(max_size=10))
def test_unknown_fields_are_skipped(request: messages.Request, extra: bytes) -> None:
    unknown = b"\xfa\x01" + bytes([len(extra)]) + extra + b"\xf5\x01abcd" + b"\xf1\x01abcdefgh" + b"\xf0\x01\x96\x01"
    assert messages.decode_request(unknown + messages.encode_request(request)) == request


def test_a_status_in_two_parts_is_merged() -> None:
    data = b"\x0a\x02\x08\x05" + b"\x0a\x03\x12\x01x"
    assert messages.decode_response(data).status == messages.Status(5, "x")
    assert from_google_response(GOOGLE["Response"].FromString(data)).status == messages.Status(5, "x")


def test_text_without_utf8_form_cannot_be_sent() -> None:
    with pytest.raises(errors.InvalidArgument):
        messages.encode_request(messages.Request(service="\udc80"))
