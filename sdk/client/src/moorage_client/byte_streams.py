"""Bytes on a named stream, from the client's side: ``Data`` one way, ``WindowUpdate`` the other.

The protocol is that of core/transfer/streaming in containerd v2.3: who sends sends no more than was granted.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from moorage_api.messages import transfer_types
from moorage_client.streams import Named
from moorage_sdk import errors

CHUNK = 32 << 10
"""Bytes of one message (``maxRead``)."""

GRANT = 1 << 30
"""Bytes of one update of the window, seldom: a write to a call that the daemon has ended makes grpc forget what it has
received and nobody has read. How far the daemon is ahead is bounded by grpc's own window."""

PIECE = 1 << 20
"""Bytes that are read from a file or written to it at once, in a thread."""


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


async def send(stream: Named, source: Source) -> None:
    """Send all of ``source``, then say that it was all. Returns early when the daemon wants no more."""
    window = 0
    while data := await asyncio.to_thread(source.read, PIECE):
        view = memoryview(data)
        while view:
            while window <= 0:
                message = await stream.receive()
                if message is None:
                    return
                if isinstance(message, transfer_types.WindowUpdate):
                    window += message.update
            piece = view[: min(CHUNK, window)]
            await stream.send(transfer_types.Data(data=bytes(piece)))
            window -= len(piece)
            view = view[len(piece) :]
    await stream.done_sending()


class Receiver:
    """Receives into ``sink``. ``received`` counts bytes."""

    def __init__(self, stream: Named, sink: Sink) -> None:
        self._stream = stream
        self._sink = sink
        self._buffer = bytearray()
        self.received = 0

    def flush(self) -> None:
        """Write what was received. Raises OSError."""
        self._sink.write(bytes(self._buffer))
        self._buffer.clear()

    async def run(self) -> None:
        """Returns at the end of the stream. Raises OSError of the sink, errors.InvalidArgument for no bytes."""
        granted = 0
        while True:
            if granted < GRANT // 2:
                await self._stream.send(transfer_types.WindowUpdate(update=GRANT))
                granted += GRANT
            message = await self._stream.receive()
            if message is not None and not isinstance(message, transfer_types.Data):
                raise errors.InvalidArgument(f"stream of bytes: got {type(message).__name__}: invalid argument")
            if message is not None:
                self._buffer += message.data
                granted -= len(message.data)
                self.received += len(message.data)
            if len(self._buffer) >= PIECE or message is None:
                await asyncio.to_thread(self.flush)
            if message is None:
                return
