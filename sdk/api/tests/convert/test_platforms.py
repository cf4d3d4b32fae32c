"""Platforms as values and messages."""

from moorage_api.convert import platforms
from moorage_api.messages import types
from moorage_sdk.platforms import Platform


def test_both_ways() -> None:
    value = Platform("linux", "arm", "v7", "6.1")
    message = types.Platform(os="linux", architecture="arm", variant="v7", os_version="6.1")
    assert platforms.to_message(value) == message
    assert platforms.from_message(message) == value


def test_nothing_is_normalized_on_the_way() -> None:
    assert platforms.from_message(types.Platform(os="Linux", architecture="x86_64")) == Platform("Linux", "x86_64")
