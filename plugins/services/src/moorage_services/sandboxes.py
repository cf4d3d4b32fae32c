"""``containerd.services.sandbox.v1.Store``: the records of sandboxes. They run nothing, and no event tells of them."""

from __future__ import annotations

from collections.abc import Mapping

from moorage_api.convert.sandboxes import from_message, to_message
from moorage_api.messages import sandboxes
from moorage_sdk.metadata import Metadata
from moorage_services import lookups
from moorage_services.calls import Call, Handler, selected
from moorage_services.pools import Pool


class SandboxService:
    name = "containerd.services.sandbox.v1.Store"

    def __init__(self, metadata: Metadata, storage: Pool) -> None:
        self._metadata = metadata
        self._storage = storage

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "Create": self.create,
            "Update": self.update,
            "Delete": self.delete,
            "List": self.list,
            "Get": self.get,
        }

    async def create(self, request: sandboxes.StoreCreateRequest, call: Call) -> sandboxes.StoreCreateResponse:
        store = call.view(self._metadata).sandboxes
        created = await self._storage.run(store.create, from_message(request.sandbox))
        return sandboxes.StoreCreateResponse(sandbox=to_message(created))

    async def update(self, request: sandboxes.StoreUpdateRequest, call: Call) -> sandboxes.StoreUpdateResponse:
        """``fields`` is a list of paths, not a field mask."""
        store = call.view(self._metadata).sandboxes
        updated = await self._storage.run(store.update, from_message(request.sandbox), tuple(request.fields))
        return sandboxes.StoreUpdateResponse(sandbox=to_message(updated))

    async def delete(self, request: sandboxes.StoreDeleteRequest, call: Call) -> sandboxes.StoreDeleteResponse:
        await self._storage.run(call.view(self._metadata).sandboxes.delete, request.sandbox_id)
        return sandboxes.StoreDeleteResponse()

    async def list(self, request: sandboxes.StoreListRequest, call: Call) -> sandboxes.StoreListResponse:
        store = call.view(self._metadata).sandboxes
        found = await self._storage.run(
            lambda: [*map(to_message, selected(store.list(), request.filters, lookups.sandbox))]
        )
        return sandboxes.StoreListResponse(list=found)

    async def get(self, request: sandboxes.StoreGetRequest, call: Call) -> sandboxes.StoreGetResponse:
        found = call.view(self._metadata).sandboxes.get(request.sandbox_id)
        return sandboxes.StoreGetResponse(sandbox=to_message(found))
