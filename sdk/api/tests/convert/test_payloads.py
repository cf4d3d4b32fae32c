"""Payloads as values and messages."""

from google.protobuf.any_pb2 import Any

from moorage_api.convert import payloads
from moorage_api.messages import containers
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
