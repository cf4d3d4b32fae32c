"""Options for runtimes with a file of their own."""

from moorage_api.messages import runtime_options


def test_a_body_is_bytes() -> None:
    assert runtime_options.Options(type_url="t", config_body=b"\xff").SerializeToString() == b"\x0a\x01t\x1a\x01\xff"
