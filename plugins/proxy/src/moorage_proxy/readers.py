"""A blob in another process. Whoever reads it from front to back is answered by one call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, cast

from moorage_api.messages import content
from moorage_proxy.peers import Peer
from moorage_proxy.scopes import NOBODY, Scope
from moorage_sdk import errors
from moorage_sdk.content import Reader

SERVICE = "containerd.services.content.v1.Content"


class ProxyReader(Reader):
    """The call for the whole blob begins when it is opened, which keeps its bytes although it is deleted meanwhile.

    A read elsewhere than where the last one ended is a call of its own.
    """

    def __init__(self, peer: Peer, digest: str, size: int, scope: Scope = NOBODY) -> None:
        self._peer = peer
        self._digest = digest
        self._size = size
        self._scope = scope
        self._lock = threading.Lock()
        self._position = 0
        self._rest = b""
        self._pieces: Iterator[bytes] | None = None
        if size:
            self._pieces = self._read(0, size)
            self._rest = next(self._pieces, b"")  # the peer has opened the blob when the first bytes are here

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, size: int) -> bytes:
        if offset > self._size:
            raise errors.OutOfRange(f"content {self._digest}: read at {offset} of {self._size} bytes: out of range")
        wanted = min(size, self._size - offset)
        if wanted <= 0:
            return b""
        with self._lock:
            if self._pieces is not None and offset == self._position:
                return self._next(wanted)
        return _joined(self._read(offset, wanted), wanted, self._digest)

    def close(self) -> None:
        with self._lock:
            pieces, self._pieces, self._rest = self._pieces, None, b""
        if pieces is not None:
            cast(Any, pieces).close()

    def _next(self, size: int) -> bytes:
        assert self._pieces is not None
        found, length = [self._rest], len(self._rest)
        try:
            while length < size:
                piece = next(self._pieces, b"")
                if not piece:
                    raise _short(self._digest)
                found.append(piece)
                length += len(piece)
        except BaseException:
            self._pieces = None  # the next read asks anew
            raise
        data = b"".join(found)
        self._position += size
        self._rest = data[size:]
        return data[:size]

    def _read(self, offset: int, size: int) -> Iterator[bytes]:
        request = content.ReadContentRequest(digest=self._digest, offset=offset, size=size)
        for answer in self._peer.receive(SERVICE, "Read", request, self._scope):
            if answer.data:
                yield answer.data


def _joined(pieces: Iterator[bytes], size: int, digest: str) -> bytes:
    data = b"".join(pieces)
    if len(data) < size:
        raise _short(digest)
    return data[:size]


def _short(digest: str) -> errors.Error:
    return errors.DataLoss(f"content {digest}: the peer sent less than its size: data loss")
