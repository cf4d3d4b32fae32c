"""Bytes on a named stream: ``Data`` one way, ``WindowUpdate`` the other (core/transfer/streaming in containerd v2.3).

Who receives grants a number of bytes, who sends sends no more than were granted. So neither side holds more than a
window of what the other is too slow for, whatever the size of the whole.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from moorage_api.convert import typeurls
from moorage_api.messages import transfer_types
from moorage_sdk import errors
from moorage_services.streams import Ended, Stream

CHUNK = 32 << 10
"""Bytes of one message (``maxRead``)."""

GRANT = 64 << 10
"""Bytes of one update of the window (``windowSize``)."""

WINDOW = 8 * GRANT
"""Bytes that a client may be ahead: more than containerd grants, for every wait for an update costs time."""

log = logging.getLogger(__name__)


class ByteSource:
    """What a client sends. ``cancelled`` is asked while waiting."""

    def __init__(self, stream: Stream, cancelled: Callable[[], bool]) -> None:
        self._stream = stream
        self._cancelled = cancelled
        self._rest = memoryview(b"")
        self._granted = 0

    def read(self, size: int, /) -> bytes:
        """Some bytes, up to ``size``; b"" when the client has no more.

        Raises errors.Cancelled, errors.Aborted for a stream that was closed here, and errors.InvalidArgument for
        something else than bytes in it.
        """
        while not self._rest:
            try:
                self._grant()
                data = self._receive()
            except Ended:
                return b""
            self._granted -= len(data)
            self._rest = memoryview(data)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def _grant(self) -> None:
        # One grant at a time, or there would be an update for every message.
        while self._granted <= WINDOW - GRANT:
            self._stream.send(transfer_types.WindowUpdate(update=GRANT))
            self._granted += GRANT

    def _receive(self) -> bytes:
        packed = self._stream.receive(self._cancelled)
        if not typeurls.holds(packed, transfer_types.Data):
            log.warning('stream of bytes: unknown message "%s" is left out', packed.type_url)
            return b""
        message: Any = typeurls.unpack(packed)
        return bytes(message.data)


class ByteSink:
    """Sends to a client. ``flush`` at the end; closing the stream tells the client that it was the end."""

    def __init__(self, stream: Stream, cancelled: Callable[[], bool]) -> None:
        self._stream = stream
        self._cancelled = cancelled
        self._buffer = bytearray()
        self._window = 0

    def write(self, data: bytes, /) -> int:
        """Raises errors.Cancelled, and errors.Unavailable for a client that takes no more."""
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= CHUNK:
            start += self._send(start)
        del self._buffer[:start]
        return len(data)

    def flush(self) -> None:
        start = 0
        while start < len(self._buffer):
            start += self._send(start)
        self._buffer.clear()

    def _send(self, start: int) -> int:
        """Send a message's worth of the buffer; the number of bytes."""
        while self._window <= 0:
            self._window += self._update()
        data = bytes(self._buffer[start : start + min(CHUNK, self._window)])
        self._stream.send_paced(transfer_types.Data(data=data), self._cancelled)
        self._window -= len(data)
        return len(data)

    def _update(self) -> int:
        packed = self._stream.receive(self._cancelled)
        if not typeurls.holds(packed, transfer_types.WindowUpdate):
            log.warning('stream of bytes: unknown message "%s" is left out', packed.type_url)
            return 0
        message: Any = typeurls.unpack(packed)
        if message.update < 0:
            raise errors.InvalidArgument(f"stream of bytes: window of {message.update} bytes: invalid argument")
        return int(message.update)
