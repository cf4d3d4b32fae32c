"""Connections to shims, and the Task and Sandbox APIs spoken over them.

One connection serves all behind a socket: all containers of the node for the monitor, one or a pod's for others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from moorage_api import methods
from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_tasks_shim import wires
from moorage_tasks_shim.wires import Wire

SANDBOX = "containerd.runtime.sandbox.v1.Sandbox"

CONNECT_TIMEOUT = 5.0

_HIGHEST_STATUS = 255

Lost = Callable[["Link"], Coroutine[Any, Any, None]]


class Link:
    """One connection. ``version`` falls when the shim turns out to be older than it said.

    ``shared`` says, as the endpoint did, that the shim is not shut down with any one of its tasks.
    """

    def __init__(self, endpoint: Endpoint, wire: Wire) -> None:
        self.path = endpoint.path
        self.version = endpoint.version
        self.shared = endpoint.shared
        self.tasks = 0
        self._protocol = endpoint.protocol
        self._wire = wire

    @property
    def lost(self) -> bool:
        return self._wire.closed

    async def closed(self) -> None:
        """Returns when the connection has ended, by whichever side."""
        await self._wire.ended()

    async def close(self) -> None:
        await self._wire.close()

    def drop(self) -> None:
        """Close without waiting for the end of it."""
        self._wire.drop()

    async def call(self, namespace: str, method: str, timeout: float | None = None, **fields: Any) -> Any:
        """The shim's response to the request of these fields.

        Raises what the shim answers, errors.Unavailable when the connection is lost, errors.DeadlineExceeded.
        """
        try:
            return await self._call(self._task, namespace, method, timeout, fields)
        except errors.Unimplemented:
            if self.version <= 2 or self._protocol == "grpc":
                raise
            # A shim may say 3 and hold a task of before its own upgrade (clientVersionDowngrader in shim.go).
            self.version = 2
            return await self._call(self._task, namespace, method, timeout, fields)

    async def call_sandbox(self, namespace: str, method: str, timeout: float | None = None, **fields: Any) -> Any:
        """The same of the Sandbox API, which not every shim has: errors.Unimplemented."""
        return await self._call(SANDBOX, namespace, method, timeout, fields)

    @property
    def _task(self) -> str:
        return f"containerd.task.v{self.version}.Task"

    async def _call(self, name: str, namespace: str, method: str, timeout: float | None, fields: dict[str, Any]) -> Any:
        service = methods.service(name)
        known = service.methods[method]
        request = known.request(**fields)
        return _credible(await self._wire.call(service, method, request, namespace=namespace, timeout=timeout))


def _credible(said: Any) -> Any:
    """A process ends with eight bits. What a guest tells through its shim may be any number, and means nothing then."""
    if getattr(said, "exit_status", 0) > _HIGHEST_STATUS:
        said.exit_status = _HIGHEST_STATUS
    return said


class Links:
    """All connections by path. Each of ``lost`` is called for one that ended without having been released."""

    def __init__(self, *lost: Lost) -> None:
        self._lost = list(lost)
        self._links: dict[str, Link] = {}
        self._connecting: dict[str, asyncio.Lock] = {}
        self._watchers: set[asyncio.Task[None]] = set()

    def on_lost(self, lost: Lost) -> None:
        self._lost.append(lost)

    async def take(self, endpoint: Endpoint) -> Link:
        """The connection to an endpoint, for one more task. Raises errors.Unavailable."""
        async with self._connecting.setdefault(endpoint.path, asyncio.Lock()):
            link = self._links.get(endpoint.path)
            if link is None or link.lost:
                link = self._links[endpoint.path] = await self._connect(endpoint)
            link.tasks += 1
            return link

    async def release(self, link: Link) -> None:
        """One task less. With the last one the connection goes, unless the shim is for all: the next task needs it."""
        link.tasks -= 1
        if link.tasks > 0 or (link.shared and not link.lost):
            return
        if self._links.get(link.path) is link:
            del self._links[link.path]
            self._connecting.pop(link.path, None)
        await link.close()

    def abandon(self) -> None:
        """Drop all connections, without a word to the shims. The loop closes them when it goes on."""
        for watcher in self._watchers:
            watcher.cancel()
        links, self._links = self._links, {}
        for link in links.values():
            link.drop()

    async def _connect(self, endpoint: Endpoint) -> Link:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                link = Link(endpoint, await wires.connect(endpoint))
        except TimeoutError as error:
            raise errors.Unavailable(f'shim "{endpoint.path}": does not accept: unavailable') from error
        watcher = asyncio.get_running_loop().create_task(self._watch(link))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        return link

    async def _watch(self, link: Link) -> None:
        await link.closed()
        if self._links.get(link.path) is link:
            del self._links[link.path]
            for lost in self._lost:
                await lost(link)
