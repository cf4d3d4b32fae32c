"""Transports: one HTTP request to one server, and nothing decided.

No redirect is followed, nothing is retried, no body is decoded here: a redirect must lose secrets, a retry has to know
what was received, and a decoded layer has another digest. ``registries`` does the deciding.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
import urllib.request
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from moorage_sdk import errors
from moorage_transfer_local.hosts import Security, is_loopback

CHUNK = 1 << 20
"""Bytes asked for at once; what has arrived by then is handed on."""


class Failed(errors.Unavailable):
    """The connection, not the server's answer, went wrong. ``plaintext``: the peer did not speak TLS."""

    def __init__(self, message: str, *, plaintext: bool = False) -> None:
        super().__init__(message)
        self.plaintext = plaintext


@dataclass(frozen=True)
class Timeouts:
    """In seconds. Within ``progress`` a body has to deliver ``MIN_PROGRESS`` bytes or its end, headers all of them."""

    connect: float = 30.0
    progress: float = 300.0


MIN_PROGRESS = 1024


def redacted(url: str) -> str:
    """A URL for people: no user information, and query values may be signatures."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" + ("?…" if parts.query else "")


def is_web(url: str) -> bool:
    """Whether this is a whole http or https URL, which strangers' headers need not hold."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def origin(url: str) -> tuple[str, str]:
    """Scheme and ``host:port``, with the default port spelled out, so that two of them can be compared."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, f"{(parts.hostname or '').lower()}:{port}"


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
        return int(text) if text.isascii() and text.isdigit() else None

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives. Raises Failed when it breaks off or crawls."""
        mark, received = time.monotonic(), 0
        while True:
            try:
                data = self._response.read1(CHUNK)
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise Failed(f'"{redacted(self.url)}": body broke off: {_reason(error)}') from error
            if not data:
                return
            yield data
            received += len(data)
            now = time.monotonic()
            if received >= MIN_PROGRESS:
                mark, received = now, 0
            elif now - mark > self._timeouts.progress:
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
    """Connections of one pull to servers under one TLS policy. Used by many threads.

    ``abort`` wakes every thread that waits in a socket, so a cancelled pull ends at once and not at a time-out.
    """

    def __init__(self, security: Security, timeouts: Timeouts, agent: str = "moorage") -> None:
        self.security = security
        self.timeouts = timeouts
        self._agent = agent
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._waiting: dict[HTTPConnection, float] = {}
        self._late: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._aborted = False
        self._pools = Pools(security, _classes(self, security))

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Response:
        """Send one request and read the head of the answer. Raises Failed."""
        if self._aborted:
            raise errors.Cancelled("pull: cancelled")
        try:
            response = self._pools.to(url).request(
                method,
                url,
                headers={"User-Agent": self._agent, "Accept-Encoding": "identity", **headers},
                body=body,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=self.timeouts.connect, read=self.timeouts.progress),
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            message = f'"{redacted(url)}": {_reason(error)}'
            raise Failed(message, plaintext=_is_plaintext(error)) from error
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
            raise OSError(0, "pull cancelled")

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


def elsewhere(security: Security) -> Security:
    """What of a registry's TLS policy holds for other servers: its roots, never its key or its trust in anybody."""
    return replace(security, pairs=(), skip_verify=None)


class Pools:
    """Pools of connections, straight ones and one for each proxy that the environment names.

    The variables are those that Go reads (``HTTP_PROXY``, ``HTTPS_PROXY``, ``NO_PROXY``, also in lower case), and as
    there no proxy is asked for what is on this machine.
    """

    def __init__(self, security: Security, classes: dict[str, Any]) -> None:
        self._classes = classes
        self._context = _context(security)
        self._managers: dict[str, urllib3.PoolManager] = {}
        self._guard = threading.Lock()

    def to(self, url: str) -> urllib3.PoolManager:
        """The pools for a URL. Raises errors.FailedPrecondition for a proxy whose address is malformed."""
        proxy = _proxy(url)
        with self._guard:
            if proxy not in self._managers:
                self._managers[proxy] = self._manager(proxy)
            return self._managers[proxy]

    def clear(self) -> None:
        with self._guard:
            for manager in self._managers.values():
                manager.clear()

    def _manager(self, proxy: str) -> urllib3.PoolManager:
        if proxy and not is_web(proxy):
            raise errors.FailedPrecondition(f'proxy "{redacted(proxy)}": not an http URL: failed precondition')
        settings: dict[str, Any] = {"num_pools": 8, "maxsize": 8, "ssl_context": self._context}
        manager = (
            urllib3.PoolManager(**settings)
            if not proxy
            else urllib3.ProxyManager(
                proxy, proxy_headers=_proxy_headers(proxy), proxy_ssl_context=ssl.create_default_context(), **settings
            )
        )
        manager.pool_classes_by_scheme = self._classes
        return manager


def _proxy(url: str) -> str:
    """The proxy for a URL, "" for none."""
    parts = urlsplit(url)
    named = urllib.request.getproxies_environment()
    if (
        is_loopback(parts.netloc)
        or urllib.request.proxy_bypass(parts.netloc)
        or _in_networks(parts, named.get("no", ""))
    ):
        return ""
    found = named.get(parts.scheme, "")
    return found if not found or "://" in found else f"http://{found}"


def _in_networks(url: SplitResult, exceptions: str) -> bool:
    """Whether the host is an address in one of the networks (``10.0.0.0/8``), which only Go takes as exceptions."""
    try:
        address = ipaddress.ip_address(url.hostname or "")
    except ValueError:
        return False
    for entry in exceptions.split(","):
        with contextlib.suppress(ValueError):
            if "/" in entry and address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
    return False


def _proxy_headers(proxy: str) -> dict[str, str]:
    auth = urlsplit(proxy).netloc.rpartition("@")[0]
    return dict(urllib3.make_headers(proxy_basic_auth=unquote(auth))) if auth else {}


def _classes(transport: Transport, security: Security) -> dict[str, Any]:
    """Classes of pools whose connections announce themselves to ``transport``."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            transport.opened(self)

        def getresponse(self) -> urllib3.response.HTTPResponse:  # type: ignore[override]  # as urllib3 itself has it
            with transport.waits(self):
                return super().getresponse()

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            # Otherwise urllib3 warns at every request; that this server needs no proof is the operator's decision.
            self.is_verified = self.is_verified or bool(security.skip_verify)
            transport.opened(self)

        def getresponse(self) -> urllib3.response.HTTPResponse:  # type: ignore[override]  # as urllib3 itself has it
            with transport.waits(self):
                return super().getresponse()

    plain = type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": Plain})
    secure = type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": Secure})
    return {"http": plain, "https": secure}


def _shut(connection: socket.socket | None) -> None:
    """Wake whoever reads from or writes to the connection; an SSL socket is shut below TLS, without a farewell."""
    if connection is not None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _context(security: Security) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        for file in security.roots:
            context.load_verify_locations(cafile=file)
        for certificate, key in security.pairs:
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise errors.FailedPrecondition(f"registry certificates: cannot be loaded: {error}") from error
    if security.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _is_plaintext(error: BaseException) -> bool:
    """Whether the TLS handshake failed because the answer was no TLS at all."""
    no_tls = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
    return any(isinstance(cause, ssl.SSLError) and cause.reason in no_tls for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, outermost first; urllib3 keeps the wrapped one in ``reason`` or ``args``."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        inner = getattr(seen, "reason", None)
        inner = (
            inner
            if isinstance(inner, BaseException)
            else next((a for a in seen.args if isinstance(a, BaseException)), None)
        )
        seen = inner or seen.__cause__


def _reason(error: BaseException) -> str:
    """What happened, from the innermost cause: outer messages repeat URLs, which may carry signatures."""
    causes = list(_causes(error))
    for cause in reversed(causes):
        if isinstance(cause, urllib3.exceptions.IncompleteRead):
            return f"{cause.partial} bytes read, {cause.expected} more expected"
        if isinstance(cause, TimeoutError):
            return "timed out"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate not accepted: {cause.verify_message}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return type(causes[-1]).__name__ if "://" in str(causes[-1]) else str(causes[-1])
