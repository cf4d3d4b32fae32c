"""Descriptors of content: ``moorage_sdk.descriptors.Descriptor`` and ``containerd.types.Descriptor``."""

from __future__ import annotations

from moorage_api.messages import types
from moorage_sdk.descriptors import Descriptor


def from_message(message: types.Descriptor) -> Descriptor:
    """The value. Digest and media type are taken as sent; who uses them as a path or key validates them."""
    return Descriptor(message.media_type, message.digest, message.size, dict(message.annotations))


def to_message(descriptor: Descriptor) -> types.Descriptor:
    """The message."""
    return types.Descriptor(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size=descriptor.size,
        annotations=descriptor.annotations,
    )
