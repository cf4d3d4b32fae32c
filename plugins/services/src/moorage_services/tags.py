"""Names in the image store, as ``containerd.types.transfer.ImageStore`` asks for them.

What is named how is from core/transfer/image/imagestore.go in containerd v2.3.
"""

from __future__ import annotations

import datetime

from moorage_api.messages import transfer_types
from moorage_sdk import errors, labels
from moorage_sdk.images import Image, Images


def tag(images: Images, source: transfer_types.ImageStore, store: transfer_types.ImageStore) -> None:
    """Give the image ``source.name`` the names of ``store``; images that have them already are replaced.

    Raises errors.NotFound for an unknown image, or when no name is given.
    """
    found = images.get(source.name)
    names = [Image(store.name, found.target, dict(store.labels))] if store.name else []
    names += extra_images(store, found)
    if not names:
        raise errors.NotFound("no image name found: not found")
    for name in names:
        put(images, name)


def extra_images(store: transfer_types.ImageStore, image: Image) -> list[Image]:
    """Further names of a pulled image. They live as long as the first one does (``extraRefLabels`` in containerd)."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    bound = {f"{labels.GC_BACK_REF}image": store.name, labels.GC_EXPIRE: now} if store.name else {}
    names = [
        f"{extra.name}@{image.target.digest}" if extra.add_digest else extra.name
        for extra in store.extra_references
        if extra.add_digest or not extra.is_prefix
    ]
    return [Image(name, image.target, {**store.labels, **bound}) for name in names]


def put(images: Images, image: Image) -> None:
    """Create the image, or replace what has its name."""
    while True:
        try:
            images.create(image)
            return
        except errors.AlreadyExists:
            try:
                images.update(image)
                return
            except errors.NotFound:
                continue  # removed between the two calls: then it can be created
