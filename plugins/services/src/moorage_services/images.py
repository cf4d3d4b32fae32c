"""``containerd.services.images.v1``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import timestamps
from moorage_api.convert.images import from_message, to_message
from moorage_api.messages import images
from moorage_sdk.collectors import Collector
from moorage_sdk.metadata import Metadata
from moorage_services import lookups
from moorage_services.calls import Call, Handler, selected
from moorage_services.pools import Pool


class ImageService:
    name = "containerd.services.images.v1.Images"

    def __init__(self, metadata: Metadata, collector: Collector, storage: Pool) -> None:
        self._metadata = metadata
        self._collector = collector
        self._storage = storage

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "Get": self.get,
            "List": self.list,
            "Create": self.create,
            "Update": self.update,
            "Delete": self.delete,
        }

    async def get(self, request: images.GetImageRequest, call: Call) -> images.GetImageResponse:
        return images.GetImageResponse(image=to_message(call.view(self._metadata).images.get(request.name)))

    async def list(self, request: images.ListImagesRequest, call: Call) -> images.ListImagesResponse:
        store = call.view(self._metadata).images

        def answer() -> images.ListImagesResponse:
            found = selected(store.list(), request.filters, lookups.image)
            return images.ListImagesResponse(images=map(to_message, found))

        return await self._storage.run(answer)

    async def create(self, request: images.CreateImageRequest, call: Call) -> images.CreateImageResponse:
        store = call.view(self._metadata).images
        at = timestamps.from_message(request.source_date_epoch) if request.HasField("source_date_epoch") else 0
        created = await self._storage.run(store.create, from_message(request.image), at=at)
        return images.CreateImageResponse(image=to_message(created))

    async def update(self, request: images.UpdateImageRequest, call: Call) -> images.UpdateImageResponse:
        store = call.view(self._metadata).images
        at = timestamps.from_message(request.source_date_epoch) if request.HasField("source_date_epoch") else 0
        paths = tuple(request.update_mask.paths)
        updated = await self._storage.run(store.update, from_message(request.image), paths, at=at)
        return images.UpdateImageResponse(image=to_message(updated))

    async def delete(self, request: images.DeleteImageRequest, call: Call) -> Empty:
        """With ``sync`` the answer waits for a collection that begins after the deletion."""
        store = call.view(self._metadata).images
        target = request.target.digest if request.HasField("target") else ""
        await self._storage.run(store.delete, request.name, target=target)
        if request.sync:
            await asyncio.wrap_future(self._collector.collect())
        return Empty()
