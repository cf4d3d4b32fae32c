"""Messages of the events service on the wire."""

from moorage_api.messages import events_service


def test_a_subscription_on_the_wire() -> None:
    request = events_service.SubscribeRequest(filters=["topic==/a", "b"])
    assert request.SerializeToString() == b"\x0a\x09topic==/a\x0a\x01b"
