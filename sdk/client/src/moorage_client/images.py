"""The Images service."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.field_mask_pb2 import FieldMask

from moorage_api.convert import descriptors, timestamps
from moorage_api.messages import images
from moorage_client.calls import Caller
from moorage_sdk.images import Image

SERVICE = "containerd.services.images.v1.Images"


class Images:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def get(self, name: str) -> Image:
        """Raises errors.NotFound."""
        answer = await self._caller.call(SERVICE, "Get", images.GetImageRequest(name=name))
        return _value(answer.image)

    async def list(self, filters: Sequence[str] = ()) -> list[Image]:
        """By name. Raises errors.InvalidArgument for a filter."""
        answer = await self._caller.call(SERVICE, "List", images.ListImagesRequest(filters=filters))
        return [_value(message) for message in answer.images]

    async def create(self, image: Image) -> Image:
        """Raises errors.AlreadyExists, errors.InvalidArgument."""
        answer = await self._caller.call(SERVICE, "Create", images.CreateImageRequest(image=_message(image)))
        return _value(answer.image)

    async def update(self, image: Image, paths: Sequence[str] = ()) -> Image:
        """Replace all that may change, or what ``paths`` name. Raises errors.NotFound, errors.InvalidArgument."""
        request = images.UpdateImageRequest(image=_message(image), update_mask=FieldMask(paths=paths))
        return _value((await self._caller.call(SERVICE, "Update", request)).image)

    async def delete(self, name: str, *, sync: bool = False) -> None:
        """With ``sync`` return after the collection that follows. Raises errors.NotFound."""
        await self._caller.call(SERVICE, "Delete", images.DeleteImageRequest(name=name, sync=sync))


def _value(message: images.Image) -> Image:
    return Image(
        name=message.name,
        target=descriptors.from_message(message.target),
        labels=dict(message.labels),
        created_at=timestamps.from_message(message.created_at),
        updated_at=timestamps.from_message(message.updated_at),
    )


def _message(image: Image) -> images.Image:
    return images.Image(name=image.name, target=descriptors.to_message(image.target), labels=image.labels)
