"""The version on the wire."""

from moorage_api.messages import version


def test_a_version_on_the_wire() -> None:
    assert version.VersionResponse(version="v", revision="r").SerializeToString() == b"\x0a\x01v\x12\x01r"
