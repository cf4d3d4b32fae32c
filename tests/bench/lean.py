"""As little of HTTP/2 and gRPC as a call needs, so that what is measured is the server and not the client.

Frames, flow control and header blocks by RFC 9113 and RFC 7541; headers go out as literals without a table, and those
that come back are not decoded: a call that was answered with no message has failed.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Any

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM = ACK = 1
END_HEADERS = 4
WINDOW = (1 << 31) - 1
REFILL = 64 << 20
"""Bytes after which the server is told that they were taken."""


class Lean:
    """One connection; one call at a time."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(address)
        self._input = self._socket.makefile("rb", buffering=1 << 20)
        self._stream = -1
        self._windows = {0: 65_535, "new": 65_535}
        self._frame = 16_384
        ours = struct.pack(">HIHI", 4, WINDOW, 5, (1 << 24) - 1)  # INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE
        self._socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(SETTINGS, 0, 0, ours))
        self._socket.sendall(_frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - 65_535)))

    def close(self) -> None:
        self._input.close()
        self._socket.close()

    def call(self, path: str, namespace: str, request: bytes) -> int:
        """A call with one request. Returns the bytes of all messages that came back. Raises RuntimeError for none."""
        return self.end(path, self.begin(path, namespace, request))

    def begin(self, path: str, namespace: str, request: bytes) -> int:
        """Send a call whose answer ``end`` takes; until then there is no other on this connection."""
        stream = self._open()
        head = _frame(HEADERS, END_HEADERS, stream, _headers(path, namespace))
        self._socket.sendall(head + _frame(DATA, END_STREAM, stream, _message(request)))
        return stream

    def end(self, path: str, stream: int) -> int:
        """Wait for the answer. Returns and raises as ``call``."""
        return self._answers(path, stream)

    def upload(self, path: str, namespace: str, requests: Iterable[bytes]) -> int:
        """A call with a stream of requests. Returns and raises as ``call``."""
        stream = self._open()
        self._socket.sendall(_frame(HEADERS, END_HEADERS, stream, _headers(path, namespace)))
        for request in requests:
            self._send(stream, memoryview(_message(request)))
        self._socket.sendall(_frame(DATA, END_STREAM, stream, b""))
        return self._answers(path, stream)

    def _open(self) -> int:
        self._stream += 2
        self._windows[self._stream] = self._windows["new"]
        return self._stream

    def _send(self, stream: int, data: memoryview) -> None:
        while data:
            room = min(self._windows[0], self._windows[stream], self._frame)
            if room == 0 or select.select([self._socket], [], [], 0)[0]:
                next(self._frames())  # window updates, and answers that nobody waits for
                continue
            self._socket.sendall(_frame(DATA, 0, stream, data[:room]))
            self._windows[0] -= len(data[:room])
            self._windows[stream] -= len(data[:room])
            data = data[room:]

    def _answers(self, path: str, stream: int) -> int:
        total = taken = 0
        for kind, flags, of, payload in self._frames():
            if kind == DATA:
                total += len(payload)
                taken += len(payload)
            if taken > REFILL:
                update = struct.pack(">I", taken)
                self._socket.sendall(_frame(WINDOW_UPDATE, 0, 0, update) + _frame(WINDOW_UPDATE, 0, stream, update))
                taken = 0
            if of == stream and (kind == RESET or flags & END_STREAM):
                break
        if not total:
            raise RuntimeError(f"{path}: no answer")
        return total

    def _frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Frames as they come: type, flags, stream, payload. What is about the connection is done on the way."""
        while True:
            head = self._input.read(9)
            if len(head) < 9:
                raise RuntimeError("the server hung up")
            length, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], head[5:]
            payload = self._input.read(length)
            number = int.from_bytes(stream, "big") & WINDOW
            if kind == SETTINGS and not flags & ACK:
                self._adopt(payload)
            elif kind == PING and not flags & ACK:
                self._socket.sendall(_frame(PING, ACK, 0, payload))
            elif kind == WINDOW_UPDATE:
                self._windows[number] = self._windows.get(number, 0) + int.from_bytes(payload, "big")
            elif kind == GOAWAY:
                raise RuntimeError(f"the server goes away: {payload[8:]!r}")
            yield kind, flags, number, payload

    def _adopt(self, settings: bytes) -> None:
        for key, value in struct.iter_unpack(">HI", settings):
            if key == 4:
                for stream in self._windows.keys() - {0}:
                    self._windows[stream] += value - self._windows["new"] if stream != "new" else 0
                self._windows["new"] = value
            elif key == 5:
                self._frame = value
        self._socket.sendall(_frame(SETTINGS, ACK, 0, b""))


def _frame(kind: int, flags: int, stream: int, payload: Any) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + bytes(payload)


def _message(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(4, "big") + data


def _headers(path: str, namespace: str) -> bytes:
    fields = {
        ":path": path,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
        "containerd-namespace": namespace,
    }
    block = b"\x83\x86"  # :method POST, :scheme http
    for name, value in fields.items():
        if value:
            block += b"\0" + _text(name) + _text(value)
    return block


def _text(text: str) -> bytes:
    """A string without Huffman coding, its length in seven bits: long enough for paths and names."""
    if len(text) > 126:
        raise ValueError(f"{text!r}: too long")
    return bytes((len(text),)) + text.encode()
