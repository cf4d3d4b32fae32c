"""Peers: processes that answer for a slot, each behind one gRPC channel however many plugins it is.

A channel connects with its first call and again whenever the peer is back; meanwhile calls fail at once. The channel is
that of blocking gRPC, because slots block, too: a call waits in the thread that makes it and concerns no loop.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from moorage_api import calling, methods
from moorage_api.convert import errors as statuses
from moorage_proxy.scopes import NOBODY, Scope
from moorage_sdk import callers, errors

REFUSED = "failed to connect"
"""How grpc's message of a call begins that was never sent, because nobody listens."""

_OF_THE_WAY = (errors.Unavailable, errors.DeadlineExceeded, errors.Cancelled)
"""Classes that grpc itself has words for, which do not end as those of peers do."""

PROBE = 0.5
"""Seconds to find out whether somebody listens again; a peer that lives needs none."""

MAX_MESSAGE = 16 << 20
"""Bytes, both ways; ``defaults/defaults.go`` in containerd v2.3."""

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    # Without it grpc sends the percent-encoded socket path as authority, which Go's HTTP/2 server refuses.
    ("grpc.default_authority", "localhost"),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 3000),  # that of containerd (cmd/containerd/server/server.go)
    ("grpc.min_reconnect_backoff_ms", 3000),  # which is how long a peer may take to accept
    # What another channel of the process knows of the same socket is of no use here.
    ("grpc.use_local_subchannel_pool", 1),
)


class Peer:
    """One process. Methods block and may be called from many threads."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._channel: Any = None
        self._closed = False
        self._refused = False  # by the last attempt to connect
        self._callables: dict[str, Any] = {}

    def call(self, service: str, method: str, request: Message, scope: Scope = NOBODY) -> Any:
        """A unary call. Returns the response; raises errors of the peer's class, errors.Unavailable without a peer.

        Ends with whoever waits for it: errors.Cancelled, errors.DeadlineExceeded.
        """
        caller = callers.current()
        with self.translated():
            prepared = self._prepared(service, method)
            if caller is None:
                return prepared(request, metadata=scope.headers)
            pending = prepared.future(request, metadata=scope.headers, timeout=caller.remaining())
            with caller.watched(pending.cancel):
                return pending.result()

    def receive(
        self, service: str, method: str, request: Message, scope: Scope = NOBODY, patience: float | None = None
    ) -> Iterator[Any]:
        """A server-streaming call. Yields responses; giving the iteration up cancels the call.

        ``patience`` is in seconds, for all of it when nobody waits who would give it up.
        """
        caller = callers.current() or callers.Caller(None if patience is None else time.monotonic() + patience)
        with self.translated():
            call = self._prepared(service, method)(request, metadata=scope.headers, timeout=caller.remaining())
        try:
            with self.translated(), caller.watched(call.cancel):
                yield from call
        finally:
            call.cancel()

    def open(self, service: str, method: str, requests: Iterable[Message], scope: Scope = NOBODY) -> Any:
        """A bidirectional call: grpc's object, to be used inside ``translated``."""
        with self.translated():
            return self._prepared(service, method)(iter(requests), metadata=scope.headers)

    def close(self) -> None:
        """End all calls. Calling it again does nothing."""
        with self._lock:
            channel, self._channel, self._closed = self._channel, None, True
            self._callables.clear()
        if channel is not None:
            channel.close()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turns what grpc raises into errors of ``moorage_sdk``."""
        try:
            yield
        except grpc.FutureCancelledError:
            raise errors.Cancelled(f'proxied plugin at "{self.address}": given up: context canceled') from None
        except grpc.RpcError as error:
            raise self.failure(error.code().value[0], error.details() or "") from None

    def failure(self, code: int, message: str) -> errors.Error:
        """The error for a status. What the connection is to blame for names the socket; the peer's words stay."""
        kind, ending = statuses.CLASSES.get(code, errors.Error), message.rpartition(": ")[2]
        if kind in _OF_THE_WAY and ending not in statuses.ENDINGS:
            self._refused = self._refused or message.startswith(REFUSED)
            told = f'proxied plugin at "{self.address}": {message or "no connection"}: {statuses.VERDICTS[kind]}'
            return kind(told, hint="is the plugin's process running?" if kind is errors.Unavailable else "")
        return statuses.error(code, message)

    def _prepared(self, service: str, name: str) -> Any:
        method = methods.service(service).methods[name]
        with self._lock:
            if self._closed:
                raise errors.Unavailable(f'proxied plugin at "{self.address}": closed: unavailable')
            if self._refused and self._listens():
                # grpc would let calls fail until it has waited long enough before it tries again.
                self._channel.close()
                self._channel, self._refused = None, False
                self._callables.clear()
            if self._channel is None:
                self._channel = grpc.insecure_channel(target(self.address), options=OPTIONS)
            if method.path not in self._callables:
                self._callables[method.path] = calling.prepared(self._channel, method)
            return self._callables[method.path]

    def _listens(self) -> bool:
        name = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with closing(socket.socket(socket.AF_UNIX)) as tried:
            tried.settimeout(PROBE)
            return tried.connect_ex(name) == 0


class Peers:
    """Peers by address, each closed when the last of its plugins is."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Peer, int]] = {}

    def open(self, address: str) -> Peer:
        """The peer at an address. Does not connect."""
        known = address.removeprefix("unix://")
        peer, users = self._open.get(known) or (Peer(known), 0)
        self._open[known] = (peer, users + 1)
        return peer

    def close(self, peer: Peer) -> None:
        """One user less."""
        _, users = self._open[peer.address]
        if users > 1:
            self._open[peer.address] = (peer, users - 1)
        else:
            del self._open[peer.address]
            peer.close()


def target(address: str) -> str:
    """grpc's spelling of a socket: a path, or a name in the kernel's table (``@name``, unix(7))."""
    if address.startswith("@"):
        return f"unix-abstract:{address[1:]}"
    return f"unix://{Path(address).absolute()}"  # grpc reads a relative one as a host name
