"""Messages of the mounts service on the wire."""

from moorage_api.messages import mounts, types


def test_an_activation_on_the_wire() -> None:
    request = mounts.ActivateRequest(name="n", mounts=[types.Mount(type="bind")], temporary=True)
    assert request.SerializeToString() == b"\x0a\x01n\x12\x06\x0a\x04bind\x20\x01"
