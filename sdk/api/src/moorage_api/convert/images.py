"""Image records, ``moorage_sdk.images.Image``."""

from __future__ import annotations

from moorage_api.convert import descriptors, timestamps
from moorage_api.messages import images
from moorage_sdk.images import Image


def from_message(message: images.Image) -> Image:
    """The value. Stores set the times themselves (plugins/services/images/local.go in containerd v2.3)."""
    return Image(
        name=message.name,
        target=descriptors.from_message(message.target),
        labels=dict(message.labels),
        created_at=timestamps.from_message(message.created_at),
        updated_at=timestamps.from_message(message.updated_at),
    )


def to_message(image: Image) -> images.Image:
    """The message."""
    return images.Image(
        name=image.name,
        labels=image.labels,
        target=descriptors.to_message(image.target),
        created_at=timestamps.to_message(image.created_at),
        updated_at=timestamps.to_message(image.updated_at),
    )
