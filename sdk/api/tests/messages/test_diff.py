"""Messages of the diff service on the wire."""

from moorage_api.messages import diff, types


def test_the_answer_is_field_three() -> None:
    assert diff.DiffResponse(diff=types.Descriptor(size=1)).SerializeToString() == b"\x1a\x02\x18\x01"
