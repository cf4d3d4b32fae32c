"""``containerd.services.leases.v1``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import timestamps
from moorage_api.messages import leases
from moorage_sdk.collectors import Collector
from moorage_sdk.leases import Lease, Resource
from moorage_sdk.metadata import Metadata
from moorage_services import lookups
from moorage_services.calls import Call, Handler, selected
from moorage_services.pools import Pool


class LeaseService:
    name = "containerd.services.leases.v1.Leases"

    def __init__(self, metadata: Metadata, collector: Collector, storage: Pool) -> None:
        self._metadata = metadata
        self._collector = collector
        self._storage = storage

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "Create": self.create,
            "Delete": self.delete,
            "List": self.list,
            "AddResource": self.add_resource,
            "DeleteResource": self.delete_resource,
            "ListResources": self.list_resources,
        }

    async def create(self, request: leases.CreateRequest, call: Call) -> leases.CreateResponse:
        store = call.view(self._metadata).leases
        created = await self._storage.run(store.create, request.id, dict(request.labels))
        return leases.CreateResponse(lease=to_message(created))

    async def delete(self, request: leases.DeleteRequest, call: Call) -> Empty:
        """With ``sync`` the answer waits for a collection that begins after the deletion."""
        await self._storage.run(call.view(self._metadata).leases.delete, request.id)
        if request.sync:
            await asyncio.wrap_future(self._collector.collect())
        return Empty()

    async def list(self, request: leases.ListRequest, call: Call) -> leases.ListResponse:
        store = call.view(self._metadata).leases

        def answer() -> leases.ListResponse:
            return leases.ListResponse(leases=map(to_message, selected(store.list(), request.filters, lookups.lease)))

        return await self._storage.run(answer)

    async def add_resource(self, request: leases.AddResourceRequest, call: Call) -> Empty:
        resource = Resource(request.resource.id, request.resource.type)
        await self._storage.run(call.view(self._metadata).leases.add_resource, request.id, resource)
        return Empty()

    async def delete_resource(self, request: leases.DeleteResourceRequest, call: Call) -> Empty:
        resource = Resource(request.resource.id, request.resource.type)
        await self._storage.run(call.view(self._metadata).leases.delete_resource, request.id, resource)
        return Empty()

    async def list_resources(self, request: leases.ListResourcesRequest, call: Call) -> leases.ListResourcesResponse:
        held = await self._storage.run(call.view(self._metadata).leases.resources, request.id)
        return leases.ListResourcesResponse(resources=(leases.Resource(id=each.id, type=each.type) for each in held))


def to_message(lease: Lease) -> leases.Lease:
    return leases.Lease(id=lease.id, created_at=timestamps.to_message(lease.created_at), labels=lease.labels)
