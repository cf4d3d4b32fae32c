"""The calling side of ttrpc."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Protocol

from moorage_sdk import errors
from moorage_ttrpc import frames, messages, statuses
from moorage_ttrpc.connections import Connection
from moorage_ttrpc.inboxes import Inbox


class _Receiver(Protocol):
    """What waits for the frames of one stream."""

    def take(self, frame: frames.Frame) -> None: ...
    def fail(self, error: errors.Error) -> None: ...


async def connect(path: str | Path) -> Client:
    """A client of the server at ``path``. Raises Unavailable if nobody listens there."""
    client = Client(os.fspath(path))
    try:
        await asyncio.get_running_loop().create_unix_connection(lambda: client.connection, os.fspath(path))
    except OSError as error:
        raise errors.Unavailable(f'ttrpc server "{path}": {error.strerror or error}') from error
    return client


class Client:
    """Any number of calls at the same time over one connection. When it is lost every call fails with Unavailable."""

    def __init__(self, name: str) -> None:
        self.connection = Connection(self._received, self._lost)
        self._name = name
        self._streams: dict[int, _Receiver] = {}
        self._next = 1

    @property
    def closed(self) -> bool:
        return self.connection.closed.is_set()

    async def close(self) -> None:
        """Close the connection; calls that still run fail with Unavailable."""
        self.connection.close()
        await self.connection.closed.wait()

    async def call(
        self,
        service: str,
        method: str,
        payload: bytes,
        *,
        metadata: Iterable[tuple[str, str]] = (),
        timeout: float | None = None,
    ) -> bytes:
        """A unary call: the encoded response.

        ``timeout`` in seconds is told to the server and kept here as well. Raises the error that the server answered,
        DeadlineExceeded, or Unavailable if the connection is or gets lost. ttrpc has no word for cancelling: after a
        cancellation the server works on, and its answer is thrown away.
        """
        unary = _Unary()
        number = self._open(unary, 0, _request(service, method, payload, metadata, timeout))
        try:
            async with asyncio.timeout(timeout):
                await self.connection.drain()
                return await unary.response
        except TimeoutError as error:
            raise errors.DeadlineExceeded(f"{service}/{method}: no answer within {timeout} s") from error
        finally:
            self._streams.pop(number, None)

    async def stream(
        self,
        service: str,
        method: str,
        payload: bytes | None = None,
        *,
        client_streaming: bool = False,
        metadata: Iterable[tuple[str, str]] = (),
    ) -> ClientStream:
        """Open a stream. ``payload`` is the argument of a method that takes one; a client stream sends its own."""
        stream = ClientStream(self)
        flags = frames.REMOTE_OPEN if client_streaming else frames.REMOTE_CLOSED
        stream.number = self._open(stream, flags, _request(service, method, payload or b"", metadata, None))
        stream.sending = client_streaming
        await self.connection.drain()
        return stream

    def forget(self, number: int) -> None:
        """Nobody waits for frames of this stream any more; late ones are thrown away."""
        self._streams.pop(number, None)

    def _open(self, receiver: _Receiver, flags: int, request: messages.Request) -> int:
        data = messages.encode_request(request)
        if self.closed:
            raise self._gone()
        number = self._next
        self.connection.write(frames.Frame(number, frames.REQUEST, flags, data))
        # The number is used up only now: a request that was too long to send has not been seen by the server.
        self._next += 2
        self._streams[number] = receiver
        return number

    def _received(self, frame: frames.Frame) -> None:
        receiver = self._streams.get(frame.stream)
        if receiver is None:
            return  # the answer to a call that was cancelled or timed out
        if frame.oversized:
            self._streams.pop(frame.stream)
            receiver.fail(frames.too_long(frame.oversized))
            return
        try:
            receiver.take(frame)
        except errors.Error as error:
            self._streams.pop(frame.stream, None)
            receiver.fail(error)

    def _lost(self) -> None:
        streams, self._streams = self._streams, {}
        for receiver in streams.values():
            receiver.fail(self._gone())

    def _gone(self) -> errors.Unavailable:
        return errors.Unavailable(f'ttrpc server "{self._name}": connection closed')


class _Unary:
    """Waits for one response."""

    def __init__(self) -> None:
        self.response: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def take(self, frame: frames.Frame) -> None:
        if frame.type != frames.RESPONSE:
            raise errors.Internal(f"stream {frame.stream}: data on a unary call")
        response = messages.decode_response(frame.data)
        if response.status.code != statuses.OK:
            raise statuses.error(response.status)
        if not self.response.done():
            self.response.set_result(response.payload)

    def fail(self, error: errors.Error) -> None:
        if not self.response.done():
            self.response.set_exception(error)


class ClientStream:
    """A stream from the caller's side. Iterate it for the responses; they end when the server closed the stream."""

    def __init__(self, client: Client) -> None:
        self.number = 0
        self.sending = False
        self._client = client
        self._inbox = Inbox(client.connection)

    async def send(self, payload: bytes) -> None:
        """Send one message. Raises FailedPrecondition after ``close_send``, Unavailable if the connection is lost."""
        if not self.sending:
            raise errors.FailedPrecondition(f"stream {self.number}: closed for sending")
        self._client.connection.write(frames.Frame(self.number, frames.DATA, 0, payload))
        await self._client.connection.drain()

    async def close_send(self) -> None:
        """Tell the server that no more messages follow."""
        if self.sending:
            self.sending = False
            flags = frames.REMOTE_CLOSED | frames.NO_DATA
            self._client.connection.write(frames.Frame(self.number, frames.DATA, flags))
            await self._client.connection.drain()

    async def receive(self) -> bytes | None:
        """The next message, None at the end. Raises the error that the server ended the stream with."""
        return await self._inbox.get()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for message in self._inbox:
            yield message

    def cancel(self) -> None:
        """Stop listening. The server learns of it only by what it is told in the stream's own messages."""
        self._client.forget(self.number)
        self._inbox.discard()

    def take(self, frame: frames.Frame) -> None:
        if frame.type == frames.RESPONSE:
            self._client.forget(self.number)
            response = messages.decode_response(frame.data)
            if response.status.code != statuses.OK:
                raise statuses.error(response.status)
            self._inbox.put(response.payload)
            self._inbox.end()
        elif frame.type == frames.DATA:
            if not frame.flags & frames.NO_DATA:
                self._inbox.put(frame.data)
            if frame.flags & frames.REMOTE_CLOSED:
                self._client.forget(self.number)
                self._inbox.end()

    def fail(self, error: errors.Error) -> None:
        self._inbox.fail(error)


def _request(
    service: str, method: str, payload: bytes, metadata: Iterable[tuple[str, str]], timeout: float | None
) -> messages.Request:
    nanoseconds = max(1, int(timeout * 1e9)) if timeout is not None else 0
    return messages.Request(service, method, payload, nanoseconds, tuple(metadata))
