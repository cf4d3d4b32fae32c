"""A server's side of one connection: which streams are open, and what every frame does to them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from moorage_sdk import errors
from moorage_ttrpc import frames, messages, peers, statuses
from moorage_ttrpc.connections import Connection
from moorage_ttrpc.inboxes import Inbox
from moorage_ttrpc.methods import Call, Metadata, Method, Services

log = logging.getLogger(__name__)

MAX_CALLS = 65_536
"""Calls one connection may have open: far above one Wait for each container of a node, far below memory."""


@dataclass(slots=True, eq=False)
class Stream:
    """An open call: its task, and the messages that are still to be read if the client streams."""

    inbox: Inbox
    method: Method
    request: messages.Request
    task: asyncio.Task[None] | None = None


class Session:
    """Answers every frame of a peer, also the wrong ones; only the end of the connection ends it."""

    def __init__(
        self,
        services: Services,
        admit: Callable[[peers.Peer], bool],
        lost: Callable[[Session], None],
        metadata: Metadata = (),
        early: bytes = b"",
    ) -> None:
        self.connection = _Admitted(self, early)
        self._services = services
        self._admit = admit
        self._on_lost = lost
        self.metadata = metadata
        self._peer = peers.Peer(0, -1, -1)
        self._streams: dict[int, Stream] = {}
        self._last = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._suspended = False
        self._unanswered: list[frames.Frame] = []

    @property
    def calls(self) -> list[messages.Request]:
        """The requests that are not answered yet."""
        return [stream.request for stream in self._streams.values()]

    async def suspend(self) -> bytes | None:
        """Give up all calls without an answer, and return what was read of them, for another session to go on with.

        The connection must be on hold. Before others can go on with it, it has to be flushed and then aborted.
        None if that is not possible: a call streams, or a frame was thrown away half-read.
        """
        self._suspended = all(stream.method.unary for stream in self._streams.values())
        for stream in list(self._streams.values()):
            if stream.task is not None:
                stream.task.cancel()
        await self._quiet.wait()
        rest = self.connection.rest
        if not self._suspended or rest is None:
            return None
        return b"".join(map(frames.encode, self._unanswered)) + rest

    async def idle(self) -> None:
        """Wait until no call is running."""
        await self._quiet.wait()

    async def ended(self) -> None:
        """Wait until the connection is closed and no handler of it runs any more."""
        await self.connection.closed.wait()
        await self._quiet.wait()

    def opened(self) -> None:
        """The connection stands: find out whose it is, and refuse it if it may not be."""
        self._peer = peers.of(self.connection.socket)
        if not self._admit(self._peer):
            self.connection.abort()

    def lost(self) -> None:
        """The peer went away, so nobody waits for the answers: cancel the handlers."""
        for stream in self._streams.values():
            stream.inbox.fail(errors.Cancelled("connection: closed by the peer"))
            if stream.task is not None:
                stream.task.cancel()
        self._on_lost(self)

    def received(self, frame: frames.Frame) -> None:
        try:
            self._dispatch(frame)
        except errors.Error as error:
            self._answer(frame.stream, messages.Response(statuses.of(error)))

    def _dispatch(self, frame: frames.Frame) -> None:
        if frame.oversized:
            raise frames.too_long(frame.oversized)
        if frame.stream % 2 == 0:
            raise errors.InvalidArgument(f"stream {frame.stream}: a client's streams have odd numbers")
        if frame.type == frames.REQUEST:
            self._open(frame)
        elif frame.type == frames.DATA:
            self._data(frame)
        # Any other type may be something a later protocol defines; Go's server ignores it too.

    def _open(self, frame: frames.Frame) -> None:
        if frame.stream <= self._last:
            raise errors.InvalidArgument(f"stream {frame.stream}: used before, numbers must rise")
        self._last = frame.stream
        request = messages.decode_request(frame.data)
        method = self._find(request)
        if len(self._streams) >= MAX_CALLS:
            raise errors.ResourceExhausted(f"connection: {MAX_CALLS} calls are open")
        stream = Stream(Inbox(self.connection), method, request)
        # Go's client sends the argument of a server stream in the request; a client stream may begin there, too.
        if request.payload or not method.client_streaming:
            stream.inbox.put(request.payload)
        if not method.client_streaming or frame.flags & frames.REMOTE_CLOSED:
            stream.inbox.end()
        self._streams[frame.stream] = stream
        self._quiet.clear()
        stream.task = asyncio.get_running_loop().create_task(self._run(frame.stream, stream, request))

    def _find(self, request: messages.Request) -> Method:
        service = self._services.get(request.service)
        if service is None:
            raise errors.Unimplemented(f"unknown service {request.service}")
        method = service.get(request.method)
        if method is None:
            raise errors.Unimplemented(f"unknown method {request.method} for service {request.service}")
        return method

    def _data(self, frame: frames.Frame) -> None:
        stream = self._streams.get(frame.stream)
        if stream is None:
            raise errors.InvalidArgument(f"stream {frame.stream}: not open")
        if stream.inbox.ended:
            raise errors.InvalidArgument(f"stream {frame.stream}: data after the caller had closed it")
        if not frame.flags & frames.NO_DATA:
            stream.inbox.put(frame.data)
        if frame.flags & frames.REMOTE_CLOSED:
            stream.inbox.end()

    async def _run(self, number: int, stream: Stream, request: messages.Request) -> None:
        try:
            response = await self._respond(number, stream, request)
            if response is not None:
                self._answer(number, response)
        finally:
            stream.inbox.discard()
            del self._streams[number]
            if not self._streams:
                self._quiet.set()

    async def _respond(self, number: int, stream: Stream, request: messages.Request) -> messages.Response | None:
        """The final response; None if the stream has ended with its last data."""
        timeout = request.timeout_nano / 1e9 if request.timeout_nano else None
        call = Call(request.service, request.method, self._peer, request.metadata + self.metadata, timeout)
        try:
            async with asyncio.timeout(timeout):
                return await self._invoke(number, stream, call)
        except TimeoutError as error:
            if timeout is not None:
                return messages.Response(messages.Status(statuses.DEADLINE_EXCEEDED, f"{call.method}: took too long"))
            return messages.Response(statuses.of(error))
        except errors.Error as error:
            return messages.Response(statuses.of(error))
        except asyncio.CancelledError:
            if self._suspended:
                self._unanswered.append(frames.Frame(number, frames.REQUEST, 0, messages.encode_request(request)))
                return None
            return messages.Response(statuses.of(errors.Cancelled(f"{call.method}: cancelled")))
        except Exception as error:  # a handler's fault must end its call, not the connection of all the others
            log.exception("%s.%s: failed", call.service, call.method)
            return messages.Response(statuses.of(error))

    async def _invoke(self, number: int, stream: Stream, call: Call) -> messages.Response | None:
        method = stream.method
        argument: Any = _decoded(stream, method)
        if not method.client_streaming:
            argument = _decode(method, await stream.inbox.get())
        if not method.server_streaming:
            return messages.Response(payload=method.encode(await method.handler(argument, call)))
        async with contextlib.aclosing(method.handler(argument, call)) as responses:
            async for response in responses:
                self.connection.write(frames.Frame(number, frames.DATA, 0, method.encode(response)))
                await self.connection.drain()
        self.connection.write(frames.Frame(number, frames.DATA, frames.REMOTE_CLOSED | frames.NO_DATA))
        return None

    def _answer(self, number: int, response: messages.Response) -> None:
        if self.connection.closed.is_set():
            return
        try:
            self._send(number, response)
        except errors.ResourceExhausted as error:
            self._send(number, messages.Response(statuses.of(error)))

    def _send(self, number: int, response: messages.Response) -> None:
        try:
            self.connection.write(frames.Frame(number, frames.RESPONSE, 0, messages.encode_response(response)))
        except errors.Unavailable:
            log.debug("stream %d: the peer is gone, answer dropped", number)


class _Admitted(Connection):
    """A connection that asks its session as soon as it is known whose it is; ``early`` is what others read of it."""

    def __init__(self, session: Session, early: bytes) -> None:
        super().__init__(session.received, session.lost)
        self._session = session
        self._early = early

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self.closing:
            self._session.opened()
        if self._early and not self.closing:
            self.data_received(self._early)


def _decode(method: Method, data: bytes | None) -> Any:
    try:
        return method.decode(data or b"")
    except errors.Error:
        raise
    except Exception as error:  # whatever a decoder raises, protobuf's DecodeError among it, says the same thing
        raise errors.InvalidArgument(f"request: cannot be decoded: {error}") from error


async def _decoded(stream: Stream, method: Method) -> AsyncIterator[Any]:
    async for data in stream.inbox:
        yield _decode(method, data)
