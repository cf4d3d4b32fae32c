"""The Leases service, and a lease for the length of an operation."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from moorage_api.convert import timestamps
from moorage_api.messages import leases
from moorage_client.calls import Caller
from moorage_sdk import errors, labels
from moorage_sdk.leases import Lease, Resource

SERVICE = "containerd.services.leases.v1.Leases"
LIFE = 24 * 3600.0
"""Seconds that an operation's lease lives if nobody deletes it; what containerd's client allows (client/lease.go)."""


class Leases:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def create(self, id: str = "", labels: Mapping[str, str] | None = None) -> Lease:
        """An empty id lets the daemon choose. Raises errors.AlreadyExists, errors.InvalidArgument."""
        answer = await self._caller.call(SERVICE, "Create", leases.CreateRequest(id=id, labels=labels or {}))
        return _value(answer.lease)

    async def delete(self, id: str, *, sync: bool = False) -> None:
        """With ``sync`` return after the collection that follows. Raises errors.NotFound."""
        await self._caller.call(SERVICE, "Delete", leases.DeleteRequest(id=id, sync=sync))

    async def add(self, id: str, resource: Resource) -> None:
        """Raises errors.NotFound for the lease, errors.Unimplemented for the type of resource."""
        message = leases.Resource(id=resource.id, type=resource.type)
        await self._caller.call(SERVICE, "AddResource", leases.AddResourceRequest(id=id, resource=message))

    async def remove(self, id: str, resource: Resource) -> None:
        message = leases.Resource(id=resource.id, type=resource.type)
        await self._caller.call(SERVICE, "DeleteResource", leases.DeleteResourceRequest(id=id, resource=message))

    async def resources(self, id: str) -> list[Resource]:
        """Raises errors.NotFound."""
        answer = await self._caller.call(SERVICE, "ListResources", leases.ListResourcesRequest(id=id))
        return [Resource(message.id, message.type) for message in answer.resources]

    async def list(self, filters: Sequence[str] = ()) -> list[Lease]:
        answer = await self._caller.call(SERVICE, "List", leases.ListRequest(filters=filters))
        return [_value(message) for message in answer.leases]

    @asynccontextmanager
    async def held(self) -> AsyncIterator[str]:
        """A new lease for the length of a ``with`` block; its id. It expires by itself if this process dies."""
        lease = await self.create(_fresh_id(), labels.expiring(LIFE))
        try:
            yield lease.id
        finally:
            with suppress(errors.NotFound):  # who deleted it answers for what it held
                await self.delete(lease.id)


def _fresh_id() -> str:
    """Unique in practice: the time, and randomness for two processes in one nanosecond."""
    return f"{time.time_ns()}-{base64.urlsafe_b64encode(os.urandom(6)).decode()}"


def _value(message: leases.Lease) -> Lease:
    return Lease(message.id, timestamps.from_message(message.created_at), dict(message.labels))
