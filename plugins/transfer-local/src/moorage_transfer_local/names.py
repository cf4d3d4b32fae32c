"""Names: what images are called in the store, by what a client asks for and an archive says.

The rules are those of core/transfer/image/imagestore.go and core/images/archive/reference.go in containerd v2.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from moorage_sdk import errors, labels, references
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.images import Image, Images
from moorage_sdk.transfers import ExtraName, Store

IMAGE_NAME = "io.containerd.image.name"
"""Annotation with the full name of an image in an archive."""

REF_NAME = "org.opencontainers.image.ref.name"
"""Annotation with the tag, or with the full name, as the writer of an archive saw fit."""

_HOST = re.compile(r"[A-Za-z0-9._~-]+(:[0-9]*)?|\[[0-9a-fA-F:.]+\](:[0-9]*)?")


def given(store: Store, target: Descriptor) -> list[Image]:
    """The names that a client gives to ``target``; those beside the first one live as long as it does."""
    first = [Image(store.name, target, dict(store.labels))] if store.name else []
    further = [
        f"{extra.name}@{target.digest}" if extra.add_digest else extra.name
        for extra in store.extra_names
        if extra.add_digest or not extra.is_prefix
    ]
    return first + _further(store, target, further)


def annotated(store: Store, target: Descriptor) -> list[Image]:
    """The names that an archive gives to ``target`` with its annotations, as far as the client wants such."""
    further = [name for extra in store.extra_names if extra.is_prefix for name in _completed(extra, target)]
    return _further(store, target, further)


def put(images: Images, wanted: Sequence[Image]) -> list[Image]:
    """Create these images, or move what has their names. Raises errors.NotFound when there is none."""
    if not wanted:
        raise errors.NotFound("no image name found: not found")
    return [_put(images, image) for image in wanted]


def as_annotations(name: str) -> dict[str, str]:
    """How an archive says what an image is called."""
    return {IMAGE_NAME: name, REF_NAME: reference_name(name)}


def reference_name(name: str) -> str:
    """The tag of a full name; the name where it is not full, or has a digest only (``ociReferenceName``)."""
    host, slash, path = name.partition("/")
    if not slash or not _HOST.fullmatch(host) or "://" in name:
        return name
    found = re.search("[:@]", path)
    tag = path[found.start() :].removeprefix(":") if found else ""
    return name if not tag or tag.startswith("@") else tag


def normalize(tag: str) -> str:
    """A tag of a docker archive as the full name of an image; one with a digest loses its tag (``ParseDockerRef``)."""
    reference = references.full(tag)
    return str(replace(reference, tag="") if reference.digest else reference)


def _completed(extra: ExtraName, target: Descriptor) -> Iterator[str]:
    name = _annotated(extra, target.annotations)
    if name:
        yield name
    if extra.add_digest and not (name and extra.skip_named_digest):
        yield f"{extra.name}@{target.digest}"


def _annotated(extra: ExtraName, said: Mapping[str, str]) -> str:
    """A full name is taken as it is or not at all; only the other annotation may be a tag to be completed."""
    if full := said.get(IMAGE_NAME):
        return full if _translated(extra, full) == full else ""
    return _translated(extra, said.get(REF_NAME, ""))


def _translated(extra: ExtraName, said: str) -> str:
    if not said or not extra.name:
        return ""
    if any(mark in said for mark in "/:@"):
        return said if extra.allow_overwrite or _begins(extra.name, said) else ""
    return f"{extra.name}:{said}"


def _begins(prefix: str, name: str) -> bool:
    """Whole parts only: ``a/b`` does not begin ``a/bc``."""
    return name.startswith(prefix) and (name == prefix or name[len(prefix)] in "/:@")


def _further(store: Store, target: Descriptor, names: Sequence[str]) -> list[Image]:
    bound = {f"{labels.GC_BACK_REF}image": store.name, **labels.expiring()} if store.name else {}
    return [Image(name, target, {**store.labels, **bound}) for name in names]


def _put(images: Images, image: Image) -> Image:
    while True:
        try:
            return images.create(image)
        except errors.AlreadyExists:
            try:
                return images.update(image)
            except errors.NotFound:
                continue  # removed between the two calls: then it can be created
