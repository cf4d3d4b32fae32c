"""The Images service."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.field_mask_pb2 import FieldMask

from moorage_api.convert.images import from_message, to_message
from moorage_api.messages import images
from moorage_client.calls import Caller
from moorage_sdk import errors
from moorage_sdk.images import Image

SERVICE = "containerd.services.images.v1.Images"


class Images:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def get(self, name: str) -> Image:
        """Raises errors.NotFound."""
        answer = await self._caller.call(SERVICE, "Get", images.GetImageRequest(name=name))
        return from_message(answer.image)

    async def list(self, filters: Sequence[str] = ()) -> list[Image]:
        """By name. Raises errors.InvalidArgument for a filter."""
        answer = await self._caller.call(SERVICE, "List", images.ListImagesRequest(filters=filters))
        return [from_message(message) for message in answer.images]

    async def create(self, image: Image) -> Image:
        """Raises errors.AlreadyExists, errors.InvalidArgument."""
        answer = await self._caller.call(SERVICE, "Create", images.CreateImageRequest(image=to_message(image)))
        return from_message(answer.image)

    async def update(self, image: Image, paths: Sequence[str] = ()) -> Image:
        """Replace all that may change, or what ``paths`` name. Raises errors.NotFound, errors.InvalidArgument."""
        request = images.UpdateImageRequest(image=to_message(image), update_mask=FieldMask(paths=paths))
        return from_message((await self._caller.call(SERVICE, "Update", request)).image)

    async def put(self, image: Image) -> Image:
        """Create it, or move what has its name, which keeps its labels. Raises errors.InvalidArgument."""
        while True:
            try:
                return await self.create(image)
            except errors.AlreadyExists:
                try:
                    return await self.update(image, ["target"])
                except errors.NotFound:
                    continue  # removed between the two calls: then it can be created

    async def delete(self, name: str, *, sync: bool = False) -> None:
        """With ``sync`` return after the collection that follows. Raises errors.NotFound."""
        await self._caller.call(SERVICE, "Delete", images.DeleteImageRequest(name=name, sync=sync))
