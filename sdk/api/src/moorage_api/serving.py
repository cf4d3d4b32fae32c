"""Services on a ``grpc.aio`` server: handlers from the method tables, errors turned into statuses at this one place."""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from moorage_api import methods
from moorage_api.convert import errors
from moorage_sdk import errors as sdk_errors

logger = logging.getLogger(__name__)

STATUSES: dict[int, grpc.StatusCode] = {status.value[0]: status for status in grpc.StatusCode}


def handler(service_name: str, implementation: Mapping[str, Callable[..., Any]]) -> grpc.GenericRpcHandler:
    """A handler to add to a ``grpc.aio`` server.

    ``implementation`` maps bare method names to coroutine functions or async generator functions of
    ``(request, context)``; a client-streaming method gets an async iterator of requests. An exception becomes a status
    by ``convert.errors``. Methods left out answer UNIMPLEMENTED.

    Raises KeyError for an unknown service or method, TypeError for a function that would block the loop.
    """
    table = methods.service(service_name).methods
    handlers = {table[name].path: _rpc(table[name], function) for name, function in implementation.items()}
    return _Service(service_name, handlers)


def fallback() -> grpc.GenericRpcHandler:
    """The last handler of a server: answers UNIMPLEMENTED for services that no other handler knows."""
    return _Fallback()


class _Service(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    def __init__(self, name: str, handlers: Mapping[str, grpc.RpcMethodHandler]) -> None:
        self.name = name
        self.handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        path = handler_call_details.method
        if path in self.handlers:
            return self.handlers[path]
        prefix = f"/{self.name}/"
        if path.startswith(prefix):
            return _unimplemented(f"unknown method {path.removeprefix(prefix)} for service {self.name}")
        return None


class _Fallback(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        owner = handler_call_details.method.removeprefix("/").rpartition("/")[0]
        return _unimplemented(f"unknown service {owner}")


def _unimplemented(message: str) -> grpc.RpcMethodHandler:
    """Streaming both ways, because it must answer before the client has sent anything; unary clients do not mind."""

    async def answer(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, message)

    return grpc.stream_stream_rpc_method_handler(answer)


def _rpc(method: methods.Method, function: Callable[..., Any]) -> grpc.RpcMethodHandler:
    kind = ("stream" if method.client_streaming else "unary", "stream" if method.server_streaming else "unary")
    build = getattr(grpc, "_".join(kind) + "_rpc_method_handler")
    if inspect.isasyncgenfunction(function):
        wrapped = _generator(method, function)
    elif inspect.iscoroutinefunction(function):
        wrapped = _coroutine(method, function)
    else:
        raise TypeError(f"{method.path}: {function!r} is neither a coroutine function nor an async generator function")
    # Requests come as bytes and are decoded inside: what grpcio's own deserializer raises becomes UNKNOWN.
    return build(wrapped, request_deserializer=None, response_serializer=method.response.SerializeToString)


def _request(method: methods.Method, data: Any) -> Any:
    """The request, or an async iterator of requests. Raises errors.Internal for one that is malformed."""
    return _requests(method, data) if method.client_streaming else _decode(method, data)


async def _requests(method: methods.Method, stream: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for data in stream:
        yield _decode(method, data)


def _decode(method: methods.Method, data: bytes) -> Any:
    try:
        return method.request.FromString(data)
    except (DecodeError, ValueError) as error:  # protobuf without its C part lets UnicodeDecodeError through
        # The code of google.golang.org/grpc (server.go, processUnaryRPC; rpc_util.go, recv).
        raise sdk_errors.Internal(f"{method.path}: request cannot be decoded: {error}") from error


def _coroutine(method: methods.Method, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(request: Any, context: grpc.aio.ServicerContext) -> Any:
        try:
            return await function(_request(method, request), context)
        except Exception as error:  # noqa: BLE001  # the edge: every failure must become a status
            await _abort(method, context, error)

    return call


def _generator(method: methods.Method, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(request: Any, context: grpc.aio.ServicerContext) -> Any:
        try:
            # Closed with us, and not some time later, when a caller goes away between two responses.
            async with contextlib.aclosing(function(_request(method, request), context)) as responses:
                async for response in responses:
                    yield response
        except Exception as error:  # noqa: BLE001  # the edge: every failure must become a status
            await _abort(method, context, error)

    return call


async def _abort(method: methods.Method, context: grpc.aio.ServicerContext, error: Exception) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    code = errors.code(error)
    if code == errors.CODES[sdk_errors.Error]:
        # An error of ours is an answer, such as a runtime's refusal; anything else is a fault of ours, whose traceback
        # stays here.
        fault = None if isinstance(error, sdk_errors.Error) else error
        logger.error("%s failed", method.path, exc_info=fault, extra={} if fault else {"error": errors.text(error)})
    await context.abort(STATUSES[code], errors.text(error))
