"""What carries the calls to a shim: a connection of ttrpc, or of gRPC where a shim says so."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError, Message

from moorage_api.methods import Service
from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_ttrpc import clients, peers

if TYPE_CHECKING:
    from moorage_client.shims import ShimChannel

NAMESPACE = "containerd-namespace-ttrpc"
"""pkg/namespaces/ttrpc.go in containerd v2.3."""


class Wire(ABC):
    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether the connection has ended, by whichever side."""

    @abstractmethod
    async def ended(self) -> None:
        """Returns when it has."""

    @abstractmethod
    async def call(
        self, service: Service, method: str, request: Message, *, namespace: str, timeout: float | None
    ) -> Any:
        """The response. Raises what the shim answers, errors.Unavailable, errors.DeadlineExceeded."""

    @abstractmethod
    def drop(self) -> None:
        """Close without waiting for the end of it."""

    async def close(self) -> None:
        self.drop()
        await self.ended()


class TtrpcWire(Wire):
    def __init__(self, client: clients.Client, path: str) -> None:
        self._client = client
        self._path = path

    @property
    def closed(self) -> bool:
        return self._client.closed

    async def ended(self) -> None:
        await self._client.connection.closed.wait()

    async def call(
        self, service: Service, method: str, request: Message, *, namespace: str, timeout: float | None
    ) -> Any:
        metadata = ((NAMESPACE, namespace),)
        answer = await self._client.call(
            service.name, method, request.SerializeToString(), metadata=metadata, timeout=timeout
        )
        response = service.methods[method].response
        try:
            return response.FromString(answer)
        except DecodeError as error:
            raise errors.Error(f'shim "{self._path}": {method}: answer is no {response.DESCRIPTOR.name}') from error

    def drop(self) -> None:
        self._client.connection.close()


class GrpcWire(Wire):
    def __init__(self, channel: ShimChannel) -> None:
        self._channel = channel
        self._watch = asyncio.get_running_loop().create_task(channel.ended())
        self._closing: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        return self._watch.done()

    async def ended(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(self._watch)

    async def call(
        self, service: Service, method: str, request: Message, *, namespace: str, timeout: float | None
    ) -> Any:
        if self.closed:
            raise errors.Unavailable("shim: connection closed")
        return await self._channel.call(service.name, method, request, namespace=namespace, timeout=timeout)

    def drop(self) -> None:
        self._watch.cancel()
        self._closing = asyncio.get_running_loop().create_task(self._channel.close())


async def connect(endpoint: Endpoint) -> Wire:
    """A connection to a shim of our own user or of root.

    Raises errors.Unavailable if nobody listens there, errors.PermissionDenied for a stranger.
    """
    if endpoint.protocol == "grpc":
        return await _connect_grpc(endpoint)
    client = await clients.connect(endpoint.path)
    try:
        _known(client.connection.socket, endpoint.path)
    except BaseException:
        client.connection.close()
        raise
    return TtrpcWire(client, endpoint.path)


async def _connect_grpc(endpoint: Endpoint) -> Wire:
    from pathlib import Path

    from moorage_client.shims import ShimChannel  # hardly any shim needs it

    # grpc does not show who is at the other end, and takes its time to say that nobody is.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as probe:
        try:
            await asyncio.get_running_loop().sock_connect(probe, endpoint.path)
        except OSError as error:
            raise errors.Unavailable(f'shim "{endpoint.path}": {error.strerror or error}: unavailable') from error
        _known(probe, endpoint.path)
    channel = ShimChannel(Path(endpoint.path))
    try:
        await channel.ready()
    except BaseException:
        await channel.close()
        raise
    return GrpcWire(channel)


def _known(connection: socket.socket, path: str) -> None:
    """Whoever else listens at the address, it is not a shim that root was asked to start."""
    try:
        peer = peers.of(connection)
    except OSError as error:
        raise errors.Unavailable(f'shim "{path}": {error.strerror}: unavailable') from error
    if not peers.same_user(peer):
        raise errors.PermissionDenied(
            f'shim "{path}": belongs to user {peer.uid}, neither root nor user {os.geteuid()}: permission denied'
        )
