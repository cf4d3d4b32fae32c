"""Transports: one HTTP request to one server, and nothing decided.

No redirect is followed, nothing is retried, no body is decoded here: a redirect must lose secrets, a retry has to know
what was received, and a decoded layer has another digest. ``servers`` does the deciding.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moorage_sdk import errors
from moorage_transfer_local.failures import Failed, failed
from moorage_transfer_local.hosts import Security
from moorage_transfer_local.pools import Pools
from moorage_transfer_local.urls import redacted

if TYPE_CHECKING:
    import urllib3
    from urllib3.connection import HTTPConnection

CHUNK = 1 << 20
"""Bytes asked for at once; what has arrived by then is handed on."""

_LENGTH = re.compile(r"[0-9]{1,18}")

MIN_PROGRESS = 1024
"""Bytes that a body must deliver within ``Timeouts.progress``."""


@dataclass(frozen=True)
class Timeouts:
    """In seconds. Within ``progress`` a body has to deliver ``MIN_PROGRESS`` bytes or its end, headers all of them."""

    connect: float = 30.0
    progress: float = 300.0


@dataclass(frozen=True)
class Body:
    """``length`` bytes to send, which ``open`` begins anew each time: a request may have to be sent again."""

    length: int
    open: Callable[[], Iterable[bytes]]

    @classmethod
    def of(cls, data: bytes) -> Body:
        return cls(len(data), lambda: [data] if data else [])


class Response:
    """An answer whose body has not been read. Close it, or the connection is not used again."""

    def __init__(self, url: str, response: urllib3.BaseHTTPResponse, timeouts: Timeouts) -> None:
        self.url = url
        self.status = response.status
        self.headers = response.headers
        self._response: Any = response
        self._timeouts = timeouts

    @property
    def length(self) -> int | None:
        """Bytes of the body as announced, None where nothing (valid) was."""
        text = self.headers.get("Content-Length", "")
        return int(text) if _LENGTH.fullmatch(text) else None

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives. Raises Failed when it breaks off or crawls."""
        from urllib3.exceptions import HTTPError  # late: see the package

        # Only time spent waiting for the server counts, for whoever takes the chunks may be slow, too.
        waited, received = 0.0, 0
        while True:
            began = time.monotonic()
            try:
                data = self._response.read1(CHUNK)
            except (HTTPError, OSError, ValueError) as error:
                raise failed(f'"{redacted(self.url)}": body broke off', error) from error
            if not data:
                return
            waited += time.monotonic() - began
            received += len(data)
            yield data
            if received >= MIN_PROGRESS:
                waited, received = 0.0, 0
            elif waited > self._timeouts.progress:
                raise Failed(f'"{redacted(self.url)}": no progress for {self._timeouts.progress:g} s')

    def body(self, limit: int) -> bytes:
        """The whole body. Raises errors.ResourceExhausted when it is larger than ``limit`` bytes."""
        received = bytearray()
        for chunk in self.chunks():
            received += chunk
            if len(received) > limit:
                raise errors.ResourceExhausted(f'"{redacted(self.url)}": answer is larger than {limit} bytes')
        return bytes(received)

    def close(self) -> None:
        """Give the connection back when the body was read to its end, else drop it."""
        if self._response.length_remaining == 0 or self._response.closed:
            self._response.read()  # of nothing: http.client only then takes the answer for finished
            self._response.release_conn()
        else:
            self._response.close()

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Transport:
    """Connections of one transfer to servers under one TLS policy. Used by many threads.

    ``abort`` wakes every thread that waits in a socket, so a cancelled transfer ends at once and not at a time-out.
    """

    def __init__(self, security: Security, timeouts: Timeouts, agent: str = "moorage") -> None:
        self.timeouts = timeouts
        self._agent = agent
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._waiting: dict[HTTPConnection, float] = {}
        self._late: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._aborted = False
        self._pools = Pools(security, self)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None) -> Response:
        """Send one request and read the head of the answer. Raises Failed, and what ``body`` raises."""
        import urllib3  # late: see the package

        if self._aborted:
            raise errors.Cancelled("transfer: cancelled")
        # Announced, or urllib3 would send the body in the chunks of HTTP, which few registries take.
        framing = {"Content-Length": str(body.length)} if body is not None else {}
        try:
            response = self._pools.to(url).request(
                method,
                url,
                headers={"User-Agent": self._agent, "Accept-Encoding": "identity", **headers, **framing},
                body=body.open() if body is not None else None,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=self.timeouts.connect, read=self.timeouts.progress),
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise failed(f'"{redacted(url)}"', error) from error
        return Response(url, response, self.timeouts)

    def abort(self) -> None:
        """Break all connections, now and later."""
        with self._lock:
            self._aborted = True
            sockets = list(self._sockets)
        for connection in sockets:
            _shut(connection)

    def expire(self) -> None:
        """Break connections whose answer has not begun to end within ``progress``.

        A time-out of the socket starts anew with every byte; a server that drips its headers would hold us for hours.
        """
        now = time.monotonic()
        with self._lock:
            late = [conn for conn, since in self._waiting.items() if now - since > self.timeouts.progress]
            self._late.update(late)
        for connection in late:
            _shut(connection.sock)

    def close(self) -> None:
        self._pools.clear()

    def opened(self, connection: HTTPConnection) -> None:
        """A connection exists from now on; not for callers."""
        with self._lock:
            self._sockets.add(connection.sock)
            aborted = self._aborted
        if aborted:
            raise OSError(0, "transfer cancelled")

    def sends(self, connection: HTTPConnection) -> None:
        """A piece of a request follows; not for callers."""
        # Until an answer is awaited urllib3 leaves the time for connecting, in which a piece of a body may not get out.
        if connection.sock is not None:
            connection.sock.settimeout(self.timeouts.progress)

    @contextlib.contextmanager
    def waits(self, connection: HTTPConnection) -> Iterator[None]:
        """An answer's head is awaited meanwhile; not for callers."""
        with self._lock:
            self._waiting[connection] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._waiting[connection]
                late, aborted = connection in self._late, self._aborted
        # To http.client a connection that we shut looks like the end of the head.
        if late or aborted:
            raise TimeoutError("no answer in time")


def _shut(connection: socket.socket | None) -> None:
    """Wake whoever reads from or writes to the connection; an SSL socket is shut below TLS, without a farewell."""
    if connection is not None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
