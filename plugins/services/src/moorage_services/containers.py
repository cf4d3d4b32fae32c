"""``containerd.services.containers.v1``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.empty_pb2 import Empty

from moorage_api.convert.containers import from_message, to_message
from moorage_api.messages import containers
from moorage_api.messages.containers import CreateContainerResponse, UpdateContainerResponse
from moorage_sdk.metadata import Metadata
from moorage_services import lookups
from moorage_services.calls import Call, Handler, selected
from moorage_services.pools import Pool


class ContainerService:
    name = "containerd.services.containers.v1.Containers"

    def __init__(self, metadata: Metadata, storage: Pool) -> None:
        self._metadata = metadata
        self._storage = storage

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "Get": self.get,
            "List": self.list,
            "ListStream": self.list_stream,
            "Create": self.create,
            "Update": self.update,
            "Delete": self.delete,
        }

    async def get(self, request: containers.GetContainerRequest, call: Call) -> containers.GetContainerResponse:
        found = call.view(self._metadata).containers.get(request.id)
        return containers.GetContainerResponse(container=to_message(found))

    async def list(self, request: containers.ListContainersRequest, call: Call) -> containers.ListContainersResponse:
        return containers.ListContainersResponse(containers=await self._selected(request, call))

    async def list_stream(self, request: containers.ListContainersRequest, call: Call) -> None:
        for container in await self._selected(request, call):
            await call.send(containers.ListContainerMessage(container=container))

    async def create(self, request: containers.CreateContainerRequest, call: Call) -> CreateContainerResponse:
        store = call.view(self._metadata).containers
        created = await self._storage.run(store.create, from_message(request.container))
        return CreateContainerResponse(container=to_message(created))

    async def update(self, request: containers.UpdateContainerRequest, call: Call) -> UpdateContainerResponse:
        store = call.view(self._metadata).containers
        paths = tuple(request.update_mask.paths)
        updated = await self._storage.run(store.update, from_message(request.container), paths)
        return UpdateContainerResponse(container=to_message(updated))

    async def delete(self, request: containers.DeleteContainerRequest, call: Call) -> Empty:
        await self._storage.run(call.view(self._metadata).containers.delete, request.id)
        return Empty()

    async def _selected(self, request: containers.ListContainersRequest, call: Call) -> Sequence[containers.Container]:
        """All of it on the pool: to filter and translate thousands of containers would hold up the loop."""
        store = call.view(self._metadata).containers
        return await self._storage.run(
            lambda: [*map(to_message, selected(store.list(), request.filters, lookups.container))]
        )
