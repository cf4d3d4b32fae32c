"""One call as a handler sees it, and how handlers become a service.

A handler is ``async def get(self, request, call) -> response``; one that streams sends with ``call.send`` and returns
None, one that is streamed to gets an async iterator of requests. Errors are raised: ``moorage_api.serving`` makes
statuses of them, for all services at one place.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

from moorage_sdk import callers
from moorage_sdk.metadata import Metadata, View
from moorage_sdk.services import Service

NAMESPACE = "containerd-namespace"
"""pkg/namespaces/grpc.go in containerd v2.3."""

LEASE = "containerd-lease"
"""core/leases/grpc.go."""

BATCH = 100
"""Entries in one message of a streamed list (core/metadata and the services' ``List``)."""

Handler = Callable[[Any, "Call"], Awaitable[Any]]


class Call:
    """The circumstances of one call. ``context`` is grpc's."""

    def __init__(self, context: Any) -> None:
        self._context = context

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Text headers; of one that was sent several times the first, as in Go."""
        found: dict[str, str] = {}
        for key, value in self._context.invocation_metadata() or ():
            if isinstance(value, str):
                found.setdefault(key, value)
        return found

    @property
    def namespace(self) -> str:
        """As sent, unchecked; empty when it was not. What needs one says so itself."""
        return self.headers.get(NAMESPACE, "")

    @property
    def lease(self) -> str:
        return self.headers.get(LEASE, "")

    def view(self, metadata: Metadata) -> View:
        """The caller's namespace under the caller's lease. Raises as Metadata.view."""
        return metadata.view(self.namespace, self.lease)

    @property
    def cancelled(self) -> bool:
        """Whether the caller has gone; for work on other threads, which no exception reaches."""
        return bool(self._context.cancelled())

    async def accept(self) -> None:
        """Answer with headers now, so that the caller knows that the stream stands before anything comes on it."""
        await self._context.send_initial_metadata(())

    async def send(self, response: Any) -> None:
        """The next message of a stream; returns when the caller's window has room for it."""
        await self._context.write(response)

    async def send_batches(self, entries: Sequence[Any], message: Callable[[Sequence[Any]], Any]) -> None:
        """A whole list, ``BATCH`` entries to a message; no message for an empty one."""
        for start in range(0, len(entries), BATCH):
            await self.send(message(entries[start : start + BATCH]))


class Offered(Protocol):
    """What a service's class has: the full name on the wire, and a handler for each method that it offers."""

    @property
    def name(self) -> str: ...

    def handlers(self) -> Mapping[str, Handler]: ...


class GrpcService(Service):
    """Offers such an object on gRPC; methods without a handler answer Unimplemented."""

    def __init__(self, offered: Offered) -> None:
        self._offered = offered

    @property
    def transport(self) -> str:
        return "grpc"

    @property
    def names(self) -> tuple[str, ...]:
        return (self._offered.name,)

    def handlers(self) -> Sequence[Any]:
        from moorage_api import serving  # grpc is slow to import, and plugins are also made only to be listed

        handlers = {name: bound(handler) for name, handler in self._offered.handlers().items()}
        return (serving.handler(self._offered.name, handlers),)


def bound(handler: Handler) -> Callable[[Any, Any], Awaitable[Any]]:
    """The function that grpc calls."""

    async def handle(request: Any, context: Any) -> Any:
        caller = _caller(context)
        callers.CURRENT.set(caller)  # in the context of this call's own task
        try:
            return await handler(request, Call(context))
        finally:
            caller.leave()

    return handle


def _caller(context: Any) -> callers.Caller:
    left = context.time_remaining()
    return callers.Caller(None if left is None else time.monotonic() + left)


def selected(entries: Iterable[Any], filters: Sequence[str], lookup: Callable[[Any], Any]) -> list[Any]:
    """Those of ``entries`` that match one of ``filters``. Raises errors.InvalidArgument for a malformed filter."""
    from moorage_api import filters as filtering

    chosen = filtering.parse(filters)
    return [entry for entry in entries if chosen.match(lookup(entry))]
