"""What a server calls: handlers of decoded messages, bound to the methods of a service.

A handler takes the request (for a client stream: an async iterator of requests) and the ``Call``. It returns the
response from a coroutine, or yields responses from an async generator if the server streams.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from moorage_sdk import errors
from moorage_ttrpc.peers import Peer

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """The circumstances of one call.

    ``timeout`` is in seconds from its arrival, None if the caller waits for ever; the server keeps it by itself.
    """

    service: str
    method: str
    peer: Peer
    metadata: Metadata = ()
    timeout: float | None = None

    def value(self, key: str) -> str:
        """The first value of a metadata key, whose case does not matter; "" if there is none."""
        wanted = key.lower()
        return next((value for name, value in self.metadata if name.lower() == wanted), "")


@dataclass(frozen=True, slots=True)
class Method:
    """One method: how to read its requests, who answers, how to write the responses."""

    decode: Callable[[bytes], Any]
    handler: Callable[[Any, Call], Any]
    encode: Callable[[Any], bytes]
    client_streaming: bool = field(default=False, kw_only=True)
    server_streaming: bool = field(default=False, kw_only=True)

    @property
    def unary(self) -> bool:
        return not (self.client_streaming or self.server_streaming)


Services = Mapping[str, Mapping[str, Method]]
"""Methods by service name and method name."""


class Described(Protocol):
    """A method as ``moorage_api.methods`` describes it."""

    @property
    def request(self) -> Any: ...
    @property
    def response(self) -> Any: ...
    @property
    def client_streaming(self) -> bool: ...
    @property
    def server_streaming(self) -> bool: ...


def bind(described: Mapping[str, Described], handlers: Mapping[str, Callable[[Any, Call], Any]]) -> dict[str, Method]:
    """Methods of protobuf classes with their handlers; a method without a handler is left out (Unimplemented).

    Raises InvalidArgument for a handler that no method is called for, because that is a misspelt name.
    """
    unknown = sorted(set(handlers) - set(described))
    if unknown:
        raise errors.InvalidArgument(f'handler "{unknown[0]}": the service has no such method')
    return {name: _method(described[name], handler) for name, handler in handlers.items()}


def _method(described: Described, handler: Callable[[Any, Call], Any]) -> Method:
    return Method(
        described.request.FromString,
        handler,
        described.response.SerializeToString,
        client_streaming=described.client_streaming,
        server_streaming=described.server_streaming,
    )
