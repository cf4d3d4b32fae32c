"""One connection that carries frames both ways. What they mean is for ``clients`` and ``servers``."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from moorage_sdk import errors
from moorage_ttrpc import frames


class Connection(asyncio.Protocol):
    """Calls ``received`` for every frame in order, and ``lost`` once, when nothing more will come.

    Several readers may ask for a pause; reading goes on when all of them have taken it back. ttrpc knows no flow
    control per stream, so a stream that is full must hold up its connection, or the queue would grow without end.
    """

    def __init__(self, received: Callable[[frames.Frame], None], lost: Callable[[], None]) -> None:
        self._received = received
        self._lost = lost
        self._parser = frames.Parser()
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._holds = 0
        self._unwanted = False
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._unwanted:
            transport.abort()
        elif self._holds:
            transport.pause_reading()

    @property
    def closing(self) -> bool:
        """Whether our side has closed it, be it before it was there."""
        return self._unwanted or (self._transport is not None and self._transport.is_closing())

    @property
    def socket(self) -> socket.socket:
        """The connected socket, for its options; reading or writing it is ours alone."""
        assert self._transport is not None
        found: socket.socket = self._transport.get_extra_info("socket")
        return found

    def data_received(self, data: bytes) -> None:
        for frame in self._parser.feed(data):
            self._received(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()
        self._writable.set()
        self._lost()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def hold(self) -> None:
        """Stop reading until the matching ``release``."""
        self._holds += 1
        if self._holds == 1 and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def release(self) -> None:
        self._holds -= 1
        if self._holds == 0 and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def write(self, frame: frames.Frame) -> None:
        """Queue a frame. Raises ResourceExhausted if it is too long, Unavailable if the connection is gone."""
        data = frames.encode(frame)
        if self.closed.is_set() or self._transport is None or self._transport.is_closing():
            raise errors.Unavailable("connection: closed")
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the peer has taken enough for more to be worth queueing."""
        await self._writable.wait()

    @property
    def rest(self) -> bytes | None:
        """What was read of a frame that is not complete; None if that is not known any more."""
        return self._parser.rest

    async def flush(self) -> None:
        """Wait until the kernel has taken everything that was written."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.set_write_buffer_limits(high=0)
            await self._writable.wait()

    def close(self) -> None:
        """Send what is queued, then close.

        The loop makes a protocol before it gives it a transport; what is closed in between ends when it gets one.
        """
        self._unwanted = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, with what is queued thrown away."""
        self._unwanted = True
        if self._transport is not None:
            self._transport.abort()
