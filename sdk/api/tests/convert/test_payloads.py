"""Payloads as values and messages."""

import pytest
from google.protobuf.any_pb2 import Any

from moorage_api.convert import payloads
from moorage_api.messages import containers, events
from moorage_sdk import errors
from moorage_sdk.events import Payload

OOM = "containerd.events.TaskOOM"


def test_both_ways() -> None:
    assert payloads.to_message(Payload(OOM, b"\x0a\x01c")) == Any(type_url=OOM, value=b"\x0a\x01c")
    assert payloads.from_message(Any(type_url=OOM, value=b"\x0a\x01c")) == Payload(OOM, b"\x0a\x01c")


def test_bytes_are_not_looked_into() -> None:
    payload = Payload("no.such.Type", b"\xff\x00")
    assert payloads.from_message(payloads.to_message(payload)) == payload


def test_maps_both_ways() -> None:
    record = containers.Container(extensions=payloads.to_map({"x": Payload("t", b"1")}))
    assert payloads.from_map(record.extensions) == {"x": Payload("t", b"1")}


def test_an_any_that_says_nothing_is_none() -> None:
    assert payloads.optional(Any()) is None
    assert payloads.to_optional(None) is None
    assert payloads.optional(Any(type_url="x")) == Payload("x", b"")
    assert payloads.optional(Any(value=b"x")) == Payload("", b"x")


def test_a_message_travels_under_its_bare_name() -> None:
    payload = payloads.of(events.TaskStart(container_id="c", pid=7))
    assert payload.type_url == "containerd.events.TaskStart"
    assert payloads.decode(payload) == events.TaskStart(container_id="c", pid=7)


def test_unknown_types() -> None:
    with pytest.raises(errors.NotFound):
        payloads.decode(Payload("no.Such", b""))
