"""Events forwarded by shims on the wire."""

from moorage_api.messages import ttrpc_events, types


def test_a_forwarded_event_on_the_wire() -> None:
    request = ttrpc_events.ForwardRequest(envelope=types.Envelope(namespace="n", topic="/t"))
    assert request.SerializeToString() == b"\x0a\x07\x12\x01n\x1a\x02/t"
