"""Payloads as values and messages."""

from google.protobuf.any_pb2 import Any

from moorage_api.convert import payloads
from moorage_api.messages import containers
from moorage_sdk.events import Payload


def test_both_ways() -> None:
    assert payloads.to_message(Payload("t", b"\xff")) == Any(type_url="t", value=b"\xff")
    assert payloads.from_message(Any(type_url="t", value=b"\xff")) == Payload("t", b"\xff")


def test_maps_both_ways() -> None:
    record = containers.Container(extensions=payloads.to_map({"x": Payload("t", b"1")}))
    assert payloads.from_map(record.extensions) == {"x": Payload("t", b"1")}
