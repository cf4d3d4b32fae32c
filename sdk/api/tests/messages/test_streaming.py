"""The first message of a stream."""

from moorage_api.messages import streaming


def test_the_name_of_a_stream_on_the_wire() -> None:
    assert streaming.StreamInit(id="x").SerializeToString() == b"\x0a\x01x"
