"""google.rpc.Status."""

from moorage_api.messages import rpc_status


def test_a_status_on_the_wire() -> None:
    status = rpc_status.Status(code=5, message="m")
    status.details.add(type_url="t")
    assert status.SerializeToString() == b"\x08\x05\x12\x01m\x1a\x03\x0a\x01t"
