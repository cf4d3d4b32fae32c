"""The messages that have arrived on one stream and were not read yet."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from moorage_sdk import errors
from moorage_ttrpc.connections import Connection

HIGH_WATER = 64
"""Messages a stream holds before it stops its connection from reading (streamRecvBufferSize in services.go)."""


class Inbox:
    """A queue that ends: cleanly (``end``) or with an error (``fail``), after what is in it has been read."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._error: errors.Error | None = None
        self._holding = False

    @property
    def ended(self) -> bool:
        return self._ended

    def put(self, message: bytes) -> None:
        self._waiting.append(message)
        self._changed.set()
        if len(self._waiting) >= HIGH_WATER and not self._holding:
            self._holding = True
            self._connection.hold()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    def fail(self, error: errors.Error) -> None:
        if not self._ended:
            self._error = error
            self.end()

    def discard(self) -> None:
        """Nobody will read any more: drop what is here and let the connection go on."""
        self._waiting.clear()
        self._release()
        self.end()

    async def get(self) -> bytes | None:
        """The next message, or None at the end. Raises the error the stream failed with."""
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        message = self._waiting.popleft()
        if len(self._waiting) < HIGH_WATER // 2:
            self._release()
        return message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self.get()) is not None:
            yield message

    def _release(self) -> None:
        if self._holding:
            self._holding = False
            self._connection.release()
