"""Messages of the sandbox services on the wire."""

from moorage_api.messages import sandboxes


def test_the_sandboxer_is_field_ten() -> None:
    assert sandboxes.ControllerStartRequest(sandbox_id="s", sandboxer="p").SerializeToString() == b"\x0a\x01s\x52\x01p"


def test_but_field_two_of_an_update() -> None:
    assert sandboxes.ControllerUpdateRequest(sandboxer="p").SerializeToString() == b"\x12\x01p"
