"""Streams that clients open beside a request, as the daemon's threads use them.

A stream is bounded in both directions: a client that does not read, and one that sends what nobody asked for, wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from moorage_api.convert import typeurls
from moorage_sdk import errors

MAX_QUEUED = 4096
"""Messages that wait for a client that does not read, before sending to it fails."""

MAX_AHEAD = 32
"""Messages that wait before who sends at the client's pace waits, too."""

MAX_UNREAD = 1 << 20
"""Bytes of a client that wait to be received, before no more are taken off the wire."""

SLICE = 0.05
"""Seconds between two looks at whether a message is still wanted."""


class Ended(errors.Unavailable):
    """The client has said that it sends no more, or is gone."""


class Stream:
    """A client's stream. Threads send and receive; the loop does the reading and writing."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lease: str = "") -> None:
        self.lease = lease
        self._loop = loop
        self._guard = threading.Condition()
        self._outgoing: deque[Any] = deque()
        self._wake = asyncio.Event()
        self._incoming: queue.SimpleQueue[Any | None] = queue.SimpleQueue()
        self._unread = 0
        self._room = asyncio.Event()
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

    def send_paced(self, message: Message, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Send, and wait before while the client is behind; not for the loop's thread. Raises errors.Cancelled, too."""
        with self._guard:
            while len(self._outgoing) >= MAX_AHEAD and not self._closed:
                if cancelled():
                    raise errors.Cancelled("stream: no longer wanted: cancelled")
                self._guard.wait(SLICE)
        self.send(message)

    def receive(self, cancelled: Callable[[], bool] = lambda: False) -> Any:
        """Wait for the client's next message; not for the loop's thread.

        Raises Ended when the client has nothing more to say, errors.Aborted for a stream that the daemon has closed,
        errors.Cancelled.
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
                if self._closed:
                    raise errors.Aborted("stream: closed by the daemon: aborted")
                raise Ended("stream: ended by the client: unavailable")
            self._taken(len(message.value))
            return message

    def close(self) -> None:
        """End the stream once what was sent is written. Calling it again does nothing."""
        with self._guard:
            self._closed = True
            self._guard.notify_all()
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
        if message is not None:
            with self._guard:
                self._unread += len(message.value)
        self._incoming.put(message)

    async def room(self) -> None:
        """Wait while much is unread; for the service."""
        while True:
            self._room.clear()
            with self._guard:
                if self._unread < MAX_UNREAD:
                    return
            await self._room.wait()

    def outgoing(self) -> AsyncIterator[Any]:
        """What is to be written, until the stream is closed; for the service, which from now on says when it ended."""
        self._served = True
        return self._messages()

    async def _messages(self) -> AsyncIterator[Any]:
        while True:
            self._wake.clear()
            with self._guard:
                ready, closed = list(self._outgoing), self._closed
                self._outgoing.clear()
                self._guard.notify_all()
            for message in ready:
                yield message
            if closed and not ready:
                return
            if not ready:
                await self._wake.wait()

    def _taken(self, size: int) -> None:
        with self._guard:
            before, self._unread = self._unread, self._unread - size
        if before >= MAX_UNREAD > before - size and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._room.set)

    def _notify(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)
