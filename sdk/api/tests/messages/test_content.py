"""Messages of content streams on the wire."""

from moorage_api.messages import content


def test_a_commit_on_the_wire() -> None:
    request = content.WriteContentRequest(action=content.COMMIT, ref="r", offset=5)
    assert request.SerializeToString() == b"\x08\x02\x12\x01r\x28\x05"


def test_data_is_bytes() -> None:
    assert content.ReadContentResponse.FromString(b"\x12\x02\xff\x00").data == b"\xff\x00"
