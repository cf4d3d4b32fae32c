"""Calls with the metadata that every request carries: the namespace, and the lease if there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
from google.protobuf.message import Message

from moorage_api.calling import Stream, Stub

NAMESPACE_HEADER = "containerd-namespace"
LEASE_HEADER = "containerd-lease"
"""``pkg/namespaces/grpc.go`` and ``core/leases/grpc.go`` in containerd v2.3."""


class Caller:
    """A channel, a namespace and a lease. Cheap: ``leased`` makes another one on the same channel."""

    def __init__(self, channel: grpc.aio.Channel, namespace: str, lease: str = "", stubs: Stubs | None = None) -> None:
        self.namespace = namespace
        self.lease = lease
        self._channel = channel
        self._stubs = Stubs(channel) if stubs is None else stubs

    def leased(self, lease: str) -> Caller:
        """The same with every creation held by ``lease``."""
        return Caller(self._channel, self.namespace, lease, self._stubs)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        lease = ((LEASE_HEADER, self.lease),) if self.lease else ()
        return ((NAMESPACE_HEADER, self.namespace), *lease)

    async def call(self, service: str, method: str, request: Message, *, timeout: float | None = None) -> Any:
        """A unary call; ``timeout`` in seconds. Raises errors of ``moorage_sdk.errors``."""
        return await self._stubs[service].call(method, request, metadata=self.metadata, timeout=timeout)

    def receive(self, service: str, method: str, request: Message) -> AsyncIterator[Any]:
        """The responses of a server stream."""
        return self._stubs[service].receive(method, request, metadata=self.metadata)

    def open(self, service: str, method: str) -> AbstractAsyncContextManager[Stream]:
        """A bidirectional stream."""
        return self._stubs[service].open(method, metadata=self.metadata)


class Stubs(dict[str, Stub]):
    """The stubs of one channel, each made when it is first needed."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        super().__init__()
        self._channel = channel

    def __missing__(self, service: str) -> Stub:
        stub = self[service] = Stub(self._channel, service)
        return stub
