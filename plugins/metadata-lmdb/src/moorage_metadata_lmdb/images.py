"""Images (``core/metadata/images.go``)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from moorage_api.messages import images as messages
from moorage_metadata_lmdb import rows
from moorage_metadata_lmdb.changes import Change, Scope
from moorage_metadata_lmdb.ledgers import Ledger, exists, missing
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_sdk import digests, errors, labels, masks
from moorage_sdk.images import Image, Images

_FIELDS = ("labels", "labels.", "annotations", "annotations.", "target")


class ImageStore(Images):
    """The images of one namespace."""

    def __init__(self, ledger: Ledger, scope: Scope) -> None:
        self._ledger = ledger
        self._scope = scope
        self._namespace = scope.namespace

    def get(self, name: str) -> Image:
        with self._ledger.read() as reading:
            image = reading.get(rows.IMAGES, self._namespace, name)
        if image is None:
            raise missing("image", name)
        return image

    def list(self) -> list[Image]:
        return [row for _, row in self._ledger.rows(rows.IMAGES, self._namespace)]

    def create(self, image: Image, *, at: int = 0) -> Image:
        _validate(image)
        now = at or time.time_ns()
        new = replace(image, created_at=now, updated_at=now)

        def create(change: Change) -> None:
            if change.has(rows.IMAGES, self._namespace, image.name):
                raise exists("image", image.name)
            self._put(change, new)
            event = messages.ImageCreate(name=image.name, labels=labels.stored(image.labels))
            change.emit(self._namespace, "/images/create", event)

        self._ledger.change(create)
        return _clean(new)

    def update(self, image: Image, paths: Sequence[str] = (), *, at: int = 0) -> Image:
        if not image.name:
            raise errors.InvalidArgument("image name is required for update: invalid argument")
        masks.check(paths, _FIELDS, f'image "{image.name}"')

        def update(change: Change) -> Image:
            old = change.get(rows.IMAGES, self._namespace, image.name)
            if old is None:
                raise missing("image", image.name)
            new = _merge(old, image, paths) if paths else image
            _validate(new)
            new = replace(new, created_at=old.created_at, updated_at=at or time.time_ns())
            self._put(change, new)
            event = messages.ImageUpdate(name=new.name, labels=labels.stored(new.labels))
            change.emit(self._namespace, "/images/update", event)
            return _clean(new)

        return self._ledger.change(update)

    def delete(self, name: str, *, target: str = "") -> None:
        def delete(change: Change) -> None:
            old = change.delete(rows.IMAGES, self._namespace, name)
            if old is None:
                raise missing("image", name)
            if target and old.target.digest != target:
                raise errors.NotFound(f'image "{name}" has target {old.target.digest}, not {target}: not found')
            change.release(self._scope, "images", name)
            change.emit(self._namespace, "/images/delete", messages.ImageDelete(name=name))

        self._ledger.change(delete)

    def _put(self, change: Change, image: Image) -> None:
        change.enter(self._namespace)
        # An image that does not expire keeps itself; only the others are held by the lease.
        if labels.GC_EXPIRE in image.labels:
            change.hold(self._scope, "images", image.name, Node(Kind.IMAGE, self._namespace, image.name))
        change.put(rows.IMAGES, (self._namespace, image.name), _clean(image))


def _clean(image: Image) -> Image:
    target = replace(image.target, annotations=labels.stored(image.target.annotations))
    return replace(image, labels=labels.stored(image.labels), target=target)


def _merge(old: Image, new: Image, paths: Sequence[str]) -> Image:
    target = new.target if "target" in paths else old.target
    annotations = masks.update_map(target.annotations, new.target.annotations, paths, "annotations")
    merged = masks.update_map(old.labels, new.labels, paths)
    return replace(old, labels=merged, target=replace(target, annotations=annotations))


def _validate(image: Image) -> None:
    if not image.name:
        raise errors.InvalidArgument("image name must not be empty: invalid argument")
    labels.validate(image.labels)
    labels.require_keys(image.target.annotations)
    digests.validate(image.target.digest)
    if image.target.size <= 0:
        raise errors.InvalidArgument("target.Size must be greater than zero: invalid argument")
    if not image.target.media_type:
        raise errors.InvalidArgument("target.MediaType must be set: invalid argument")
