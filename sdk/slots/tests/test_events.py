from moorage_sdk.events import EXCHANGE, SINK, Envelope, Exchange, Payload, Sink


def test_envelopes_can_be_compared_and_collected() -> None:
    one = Envelope(1, "default", "/images/create", Payload("containerd.events.ImageCreate", b"x"))
    assert one in {Envelope(1, "default", "/images/create", Payload("containerd.events.ImageCreate", b"x"))}


def test_the_slots() -> None:
    assert (EXCHANGE.name, EXCHANGE.type) == ("events", "io.containerd.event.v1")
    assert (SINK.name, SINK.group) == ("sink", "moorage.sink")
    assert Exchange.__abstractmethods__ == {"publish", "forward", "subscribe"}
    assert Sink.__abstractmethods__ == {"deliver"}
