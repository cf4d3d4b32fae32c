"""``containerd.services.streaming.v1``, and the streams that other services find by the names clients gave them.

A client opens a stream, says its name, waits for the answer, and then puts the name into a request, such as a transfer
that is to report its progress. Names belong to a namespace. A stream that was opened under a lease ends with the lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any as Typed

from google.protobuf.any_pb2 import Any
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from moorage_api.convert import typeurls
from moorage_api.messages import streaming
from moorage_sdk import errors
from moorage_sdk.metadata import Change, Metadata
from moorage_services.calls import Call, Handler

MAX_QUEUED = 4096
"""Messages that wait for a client that does not read, before sending to it fails."""

SLICE = 0.05
"""Seconds between two looks at whether a message is still wanted."""


class Stream:
    """A client's stream as the daemon's threads use it. Sending never blocks; the loop does the writing."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lease: str = "") -> None:
        self.lease = lease
        self._loop = loop
        self._guard = threading.Lock()
        self._outgoing: deque[Any] = deque()
        self._wake = asyncio.Event()
        self._incoming: queue.SimpleQueue[Any | None] = queue.SimpleQueue()
        self._closed = False
        self._served = False
        self._ended = asyncio.Event()

    def send(self, message: Message) -> None:
        """Queue a message. Raises errors.Unavailable for a closed stream, errors.ResourceExhausted for a full queue."""
        with self._guard:
            if self._closed:
                raise errors.Unavailable("stream: closed: unavailable")
            if len(self._outgoing) >= MAX_QUEUED:
                raise errors.ResourceExhausted(f"stream: {MAX_QUEUED} messages are not read: resource exhausted")
            self._outgoing.append(typeurls.pack(message))
        self._notify()

    def receive(self, cancelled: Callable[[], bool] = lambda: False) -> Any:
        """Wait for the client's next message; not for the loop's thread.

        Raises errors.Unavailable when the client has nothing more to say, errors.Cancelled.
        """
        while True:
            try:
                message = self._incoming.get(timeout=SLICE)
            except queue.Empty:
                if cancelled():
                    raise errors.Cancelled("stream: no longer wanted: cancelled") from None
                continue
            if message is None:
                self._incoming.put(None)
                raise errors.Unavailable("stream: ended by the client: unavailable")
            return message

    def close(self) -> None:
        """End the stream once what was sent is written. Calling it again does nothing."""
        with self._guard:
            self._closed = True
        self._incoming.put(None)
        self._notify()

    async def written(self, seconds: float) -> None:
        """Wait until a closed stream has ended, with all that was sent on the wire, but no longer than ``seconds``.

        A client that takes the answer of another call for the end reads nothing more, so the stream has to be first.
        """
        if self._served:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), seconds)

    def ended(self) -> None:
        """Nothing is written any more; for the service."""
        self._ended.set()

    def received(self, message: Any | None) -> None:
        """The client's next message, or its end; for the service."""
        self._incoming.put(message)

    async def outgoing(self) -> AsyncIterator[Any]:
        """What is to be written, until the stream is closed; for the service."""
        self._served = True
        while True:
            self._wake.clear()
            with self._guard:
                ready, closed = list(self._outgoing), self._closed
                self._outgoing.clear()
            for message in ready:
                yield message
            if closed and not ready:
                return
            if not ready:
                await self._wake.wait()

    def _notify(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)


class Streams:
    """All named streams of the daemon, by namespace and name."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], Stream] = {}
        self._guard = threading.Lock()

    def register(self, namespace: str, name: str, stream: Stream) -> None:
        """Raises errors.AlreadyExists for the name, errors.InvalidArgument without one."""
        if not name:
            raise errors.InvalidArgument("stream id must not be empty: invalid argument")
        with self._guard:
            if (namespace, name) in self._streams:
                raise errors.AlreadyExists(f'stream "{name}" in namespace "{namespace}": already exists')
            self._streams[namespace, name] = stream

    def get(self, namespace: str, name: str) -> Stream:
        """Raises errors.NotFound."""
        with self._guard:
            try:
                return self._streams[namespace, name]
            except KeyError:
                raise errors.NotFound(f'stream "{name}" in namespace "{namespace}": not found') from None

    def remove(self, namespace: str, name: str) -> None:
        """Forget a stream; unknown names do nothing."""
        with self._guard:
            self._streams.pop((namespace, name), None)

    def leased(self) -> list[tuple[str, Stream]]:
        """Namespace and stream of all that were opened under a lease."""
        with self._guard:
            return [(namespace, stream) for (namespace, _), stream in self._streams.items() if stream.lease]


class StreamService:
    """Registers the streams that clients open in ``streams``."""

    name = "containerd.services.streaming.v1.Streaming"

    def __init__(self, streams: Streams, metadata: Metadata) -> None:
        self._streams = streams
        self._metadata = metadata
        metadata.watch(self._changed)
        self._loop: asyncio.AbstractEventLoop | None = None

    def handlers(self) -> Mapping[str, Handler]:
        return {"Stream": self.stream}

    async def stream(self, requests: AsyncIterator[Any], call: Call) -> None:
        """Raises errors.InvalidArgument for a first message that is no StreamInit, errors.AlreadyExists for a name."""
        self._loop = asyncio.get_running_loop()
        name = await _first(requests)
        stream = Stream(self._loop, call.lease)
        self._streams.register(call.namespace, name, stream)
        reading = asyncio.create_task(_pump(requests, stream))
        try:
            await call.send(typeurls.pack(Empty()))
            async for message in stream.outgoing():
                await call.send(message)
        finally:
            self._streams.remove(call.namespace, name)
            stream.close()
            stream.ended()
            reading.cancel()

    def _changed(self, change: Change) -> None:
        """Called from any thread: a lease may have gone."""
        loop = self._loop
        if change is Change.DELETION and loop is not None and not loop.is_closed() and self._streams.leased():
            loop.call_soon_threadsafe(self._end_orphans)

    def _end_orphans(self) -> None:
        living: dict[str, set[str]] = {}
        for namespace, stream in self._streams.leased():
            if namespace not in living:
                living[namespace] = {lease.id for lease in self._metadata.view(namespace).leases.list()}
            if stream.lease not in living[namespace]:
                stream.close()


async def _first(requests: AsyncIterator[Any]) -> str:
    async for request in requests:
        if typeurls.holds(request, streaming.StreamInit):
            message: Typed = typeurls.unpack(request)
            return str(message.id)
        raise errors.InvalidArgument(f'stream: first message is "{request.type_url}", not StreamInit: invalid argument')
    raise errors.InvalidArgument("stream: ended before its first message: invalid argument")


async def _pump(requests: AsyncIterator[Any], stream: Stream) -> None:
    try:
        async for request in requests:
            stream.received(request)
    finally:
        stream.received(None)
