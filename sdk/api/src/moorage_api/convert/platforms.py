"""Platforms: ``moorage_sdk.platforms.Platform`` and ``containerd.types.Platform``."""

from __future__ import annotations

from moorage_api.messages import types
from moorage_sdk.platforms import Platform


def from_message(message: types.Platform) -> Platform:
    """The value, as sent (not normalized). The value knows no ``os_features``: only Windows uses them."""
    return Platform(message.os, message.architecture, message.variant, message.os_version)


def to_message(platform: Platform) -> types.Platform:
    """The message."""
    return types.Platform(
        os=platform.os,
        architecture=platform.architecture,
        variant=platform.variant,
        os_version=platform.os_version,
    )
