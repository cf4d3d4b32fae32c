"""Events in their envelopes as values and messages."""

from google.protobuf.timestamp_pb2 import Timestamp

from moorage_api.convert import envelopes
from moorage_api.messages import types
from moorage_sdk.events import Envelope, Payload

OOM = "containerd.events.TaskOOM"


def test_both_ways() -> None:
    value = Envelope(1_500_000_000, "n", "/t", Payload(OOM, b"\x0a\x01c"))
    message = types.Envelope(timestamp=Timestamp(seconds=1, nanos=500_000_000), namespace="n", topic="/t")
    message.event.type_url, message.event.value = OOM, b"\x0a\x01c"
    assert envelopes.to_message(value) == message
    assert envelopes.from_message(message) == value


def test_a_missing_timestamp_is_zero() -> None:
    assert envelopes.from_message(types.Envelope(topic="/t")).timestamp == 0
