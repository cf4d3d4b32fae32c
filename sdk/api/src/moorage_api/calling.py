"""Calls on a ``grpc.aio`` channel by service and method name; failures arrive as classes of ``moorage_sdk.errors``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc
from google.protobuf.message import Message

from moorage_api import methods
from moorage_api.convert import errors
from moorage_sdk import errors as sdk_errors

_ABORTED = errors.CODES[sdk_errors.Aborted]
Metadata = Sequence[tuple[str, str]]


class Stub:
    """One service behind a channel. Requests and responses are messages of ``moorage_api.messages``.

    ``timeout`` is in seconds, None waits for ever. Every method raises KeyError for a method that the service does not
    have, TypeError for a request of another type or for a method of another shape.
    """

    def __init__(self, channel: grpc.aio.Channel, service_name: str) -> None:
        self.service = methods.service(service_name)
        self._channel = channel
        self._callables: dict[str, Any] = {}

    async def call(
        self, method: str, request: Message, *, metadata: Metadata = (), timeout: float | None = None
    ) -> Any:
        """A unary call. Returns the response."""
        prepared = self._prepared(method, request, client_streaming=False, server_streaming=False)
        with _translated():
            return await prepared(request, metadata=tuple(metadata), timeout=timeout)

    async def receive(
        self, method: str, request: Message, *, metadata: Metadata = (), timeout: float | None = None
    ) -> AsyncIterator[Any]:
        """A server-streaming call. Yields responses; the call is cancelled when the iteration is given up."""
        prepared = self._prepared(method, request, client_streaming=False, server_streaming=True)
        call = prepared(request, metadata=tuple(metadata), timeout=timeout)
        try:
            with _translated():
                async for response in call:
                    yield response
        finally:
            # Dropping the object is not enough: grpcio from 1.83 on never cancels a call that is only forgotten.
            call.cancel()

    @asynccontextmanager
    async def open(
        self, method: str, *, metadata: Metadata = (), timeout: float | None = None
    ) -> AsyncIterator[Stream]:
        """A bidirectional call for the length of a ``with`` block; it is cancelled at the end unless it was over."""
        prepared = self._prepared(method, None, client_streaming=True, server_streaming=True)
        call = prepared(metadata=tuple(metadata), timeout=timeout)
        try:
            yield Stream(call)
        finally:
            call.cancel()

    def _prepared(self, name: str, request: Message | None, *, client_streaming: bool, server_streaming: bool) -> Any:
        method = self.service.methods[name]
        if (method.client_streaming, method.server_streaming) != (client_streaming, server_streaming):
            raise TypeError(f"{method.path} is streamed in another way")
        if request is not None and not isinstance(request, method.request):
            raise TypeError(f"{method.path} takes {method.request.DESCRIPTOR.full_name}")
        if name not in self._callables:
            self._callables[name] = prepared(self._channel, method)
        return self._callables[name]


def prepared(channel: Any, method: methods.Method) -> Any:
    """What calls a method on a channel, of ``grpc.aio`` or of ``grpc``."""
    kind = ("stream" if method.client_streaming else "unary", "stream" if method.server_streaming else "unary")
    return getattr(channel, "_".join(kind))(
        method.path,
        request_serializer=method.request.SerializeToString,
        response_deserializer=method.response.FromString,
    )


class Stream:
    """Both directions of one call. Not for concurrent use in the same direction."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def send(self, request: Message) -> None:
        """Raises the error that the peer ended the call with, errors.Aborted when it ended without one."""
        try:
            await self._call.write(request)
        except grpc.RpcError as error:
            # What grpc.aio makes of a write that the end of the call overtakes, instead of telling how it ended.
            overtaken = error.details() == "Internal error from Core"
            raise errors.error(_ABORTED if overtaken else error.code().value[0], error.details() or "") from None
        except asyncio.InvalidStateError:
            # What grpc.aio says of a write to a finished call; why it finished is in the call.
            raise errors.error(await self._code() or _ABORTED, await self._call.details() or "call is over") from None

    async def _code(self) -> int:
        return int((await self._call.code()).value[0])

    async def receive(self) -> Any | None:
        """The next response, None after the last one."""
        with _translated():
            response = await self._call.read()
        return None if response is grpc.aio.EOF else response

    async def done_sending(self) -> None:
        """Tell the peer that no further request follows."""
        with _translated():
            await self._call.done_writing()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise errors.error(error.code().value[0], error.details() or "") from None
