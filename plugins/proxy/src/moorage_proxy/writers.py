"""An ingest in another process: one stream of ``Content.Write``, a request and its answer at a time."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import grpc

from moorage_api.convert import timestamps
from moorage_api.messages import content
from moorage_proxy.peers import Peer
from moorage_proxy.scopes import NOBODY, Scope
from moorage_sdk import callers, digests, errors
from moorage_sdk.content import Status, Writer

SERVICE = "containerd.services.content.v1.Content"

CHUNK = 4 << 20
"""Bytes of one message, well below the limit of a message."""


class ProxyWriter(Writer):
    """``first`` is the message that opens the ingest at the peer. Making a writer raises as ContentStore.writer."""

    def __init__(self, peer: Peer, first: content.WriteContentRequest, scope: Scope = NOBODY) -> None:
        self._peer = peer
        self._ref = first.ref
        self._requests: queue.SimpleQueue[content.WriteContentRequest | None] = queue.SimpleQueue()
        self._stream: Any = peer.open(SERVICE, "Write", iter(self._requests.get, None), scope)
        self._watching = ExitStack()
        self._watching.enter_context((callers.current() or callers.Caller()).watched(self._stream.cancel))
        try:
            opened = self._ask(first)
        except BaseException:
            self.close()
            raise
        self._offset: int = opened.offset
        self._digest: str = opened.digest

    def write(self, data: bytes | bytearray | memoryview) -> int:
        view = memoryview(data).cast("B")
        for start in range(0, len(view), CHUNK):
            piece = bytes(view[start : start + CHUNK])
            answer = self._ask(content.WriteContentRequest(action=content.WRITE, offset=self._offset, data=piece))
            if answer.offset != self._offset + len(piece):
                raise errors.DataLoss(f'ingest "{self._ref}": the peer took less than it was sent: data loss')
            self._offset = answer.offset
        return len(view)

    def truncate(self, size: int) -> None:
        if size > self._offset:
            raise errors.OutOfRange(f'ingest "{self._ref}": {size} is past its end {self._offset}: out of range')
        if size == self._offset:
            return
        if size:
            raise errors.Unimplemented(f'ingest "{self._ref}": a peer truncates to nothing only: not implemented')
        self._ask(content.WriteContentRequest(action=content.WRITE))  # at 0, where the ingest is longer, starts it over
        self._offset = 0

    def status(self) -> Status:
        answer = self._ask(content.WriteContentRequest(action=content.STAT))
        return Status(
            self._ref,
            answer.offset,
            answer.total,
            "",
            timestamps.from_message(answer.started_at),
            timestamps.from_message(answer.updated_at),
        )

    def digest(self) -> str:
        return self._digest or digests.of(b"")

    def commit(self, size: int = 0, expected: str = "", labels: Mapping[str, str] | None = None) -> str:
        request = content.WriteContentRequest(
            action=content.COMMIT,
            total=size,
            offset=self._offset,
            expected=digests.validate(expected) if expected else "",
            labels=labels or {},
        )
        try:
            answer = self._ask(request)
        finally:
            self.close()
        if expected and answer.digest != expected:
            raise errors.DataLoss(f"content {answer.digest}: the peer was told to expect {expected}: data loss")
        return self._digest

    def close(self) -> None:
        """Returns when the peer has let go of the reference, so that it can be opened again at once."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        self._requests.put(None)
        try:
            for _ in stream:
                continue
        except grpc.RpcError:
            pass  # an ingest that is over, for whatever reason, is closed
        finally:
            stream.cancel()
            self._watching.close()

    def _ask(self, request: content.WriteContentRequest) -> content.WriteContentResponse:
        if self._stream is None:
            raise errors.FailedPrecondition(f'ingest "{self._ref}": writer is closed: failed precondition')
        self._requests.put(request)
        with self._peer.translated():
            answer: content.WriteContentResponse | None = next(self._stream, None)
        if answer is None:
            raise errors.Unavailable(f'ingest "{self._ref}": the peer has ended the stream: unavailable')
        self._digest = answer.digest or getattr(self, "_digest", "")
        return answer
