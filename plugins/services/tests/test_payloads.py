"""Typed bytes between messages and values."""

from google.protobuf.any_pb2 import Any

from moorage_sdk.events import Payload
from moorage_services import payloads


def test_there_and_back() -> None:
    payload = Payload("containerd.events.TaskExit", b"\x08\x01")
    assert payloads.from_message(payloads.to_message(payload)) == payload


def test_an_any_that_says_nothing_is_none() -> None:
    assert payloads.optional(Any()) is None
    assert payloads.optional(Any(type_url="x")) == Payload("x", b"")
    assert payloads.optional(Any(value=b"x")) == Payload("", b"x")
