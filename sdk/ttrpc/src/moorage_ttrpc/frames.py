"""Frames of ttrpc: a ten byte header and data.

The layout is that of PROTOCOL.md in github.com/containerd/ttrpc, version 1.2: data length and stream id as big-endian
32 bit numbers, then one byte of type and one of flags.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from moorage_sdk import errors

HEADER = struct.Struct(">IIBB")

MAX_LENGTH = 4 << 20
"""Most bytes of data in one frame (messageLengthMax in channel.go)."""

REQUEST = 1
RESPONSE = 2
DATA = 3

REMOTE_CLOSED = 1
REMOTE_OPEN = 2
NO_DATA = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. ``oversized`` is the announced length of data that was too long and has been thrown away, else 0."""

    stream: int
    type: int
    flags: int
    data: bytes = b""
    oversized: int = 0


def encode(frame: Frame) -> bytes:
    """The bytes of a frame. Raises ResourceExhausted if its data is longer than a frame may carry."""
    if len(frame.data) > MAX_LENGTH:
        raise too_long(len(frame.data))
    return HEADER.pack(len(frame.data), frame.stream, frame.type, frame.flags) + frame.data


def too_long(length: int) -> errors.ResourceExhausted:
    return errors.ResourceExhausted(f"message of {length} bytes: longer than the {MAX_LENGTH} bytes a frame may carry")


class Parser:
    """Turns a byte stream into frames, however the bytes are cut. It never holds more than one frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._header: tuple[int, int, int, int] | None = None
        self._discard = 0

    @property
    def inside(self) -> bool:
        """Whether the stream stands in the middle of a frame, so that its end here would cut one off."""
        return bool(self._buffer) or self._header is not None

    @property
    def rest(self) -> bytes | None:
        """The bytes of the frame the stream stands in; None if they are no longer all there."""
        if self._discard:
            return None
        return (HEADER.pack(*self._header) if self._header else b"") + bytes(self._buffer)

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """The frames that ``chunk`` completes, in order. An oversized one comes without data once it was skipped."""
        self._buffer += chunk
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        if self._header is None:
            if len(self._buffer) < HEADER.size:
                return None
            self._header = HEADER.unpack_from(self._buffer)
            del self._buffer[: HEADER.size]
            self._discard = self._header[0] if self._header[0] > MAX_LENGTH else 0
        length, stream, kind, flags = self._header
        if length > MAX_LENGTH:
            return self._skip(Frame(stream, kind, flags, oversized=length))
        if len(self._buffer) < length:
            return None
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._header = None
        return Frame(stream, kind, flags, data)

    def _skip(self, frame: Frame) -> Frame | None:
        gone = min(self._discard, len(self._buffer))
        del self._buffer[:gone]
        self._discard -= gone
        if self._discard:
            return None
        self._header = None
        return frame
