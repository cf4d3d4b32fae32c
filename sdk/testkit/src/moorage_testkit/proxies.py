"""Proxies: a server on loopback that passes requests on, and changes what comes back as a test scripts it."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

from moorage_testkit.certificates import Certificate
from moorage_testkit.http_servers import PatientServer
from moorage_testkit.tokens import TokenServer

_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(frozen=True)
class Request:
    """``target`` is the path with the query. Header names as sent; ask with ``header``."""

    method: str
    target: str
    headers: Mapping[str, str]

    def header(self, name: str) -> str:
        """The value of a header, whatever the case of its name; "" for none."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")


@dataclass
class Exchange:
    """A request and the answer to it, to be changed. The methods are changes ready for ``Proxy.on``.

    ``cut_after``: break the connection after so many bytes of the body (None: do not). ``release``: wait for this event
    before the body is sent, or after ``stall_after`` bytes of it.
    """

    request: Request
    status: int
    headers: dict[str, str]
    body: bytes
    cut_after: int | None = None
    stall_after: int = 0
    release: threading.Event | None = None

    def answer(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        """Something else altogether."""
        self.status, self.headers, self.body = status, dict(headers or {}), body
        self.set("Content-Length", str(len(body)))

    def cut(self, after: int) -> None:
        """The connection breaks in the middle of the body."""
        self.cut_after = after

    def stall(self, after: int, release: threading.Event) -> None:
        """The body stops until ``release`` is set."""
        self.stall_after, self.release = after, release

    def corrupt(self, at: int) -> None:
        """One byte is another."""
        changed = bytearray(self.body)
        changed[at] ^= 0xFF
        self.body = bytes(changed)

    def replace(self, body: bytes) -> None:
        """Another body, announced with its true length; the digest in the header stays."""
        self.body = body
        self.set("Content-Length", str(len(body)))

    def set(self, name: str, value: str | None) -> None:
        """Change a header, or remove it with None."""
        self.headers = {key: kept for key, kept in self.headers.items() if key.lower() != name.lower()}
        if value is not None:
            self.headers[name] = value


@dataclass
class _Rule:
    method: str
    pattern: re.Pattern[str]
    change: Callable[..., None]
    arguments: tuple[Any, ...]
    times: int


@dataclass
class Proxy:
    """Listens on ``address``; ``upstream`` is ``host:port`` of a plain or TLS server, "" for none (every answer 404).

    Requests to ``/token`` go to ``tokens``, if there is one.
    """

    upstream: str = ""
    certificate: Certificate | None = None
    upstream_tls: bool = False
    tokens: TokenServer | None = None
    requests: list[Request] = field(default_factory=list)
    _rules: list[_Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._server = PatientServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate.certificate, self.certificate.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://{self.address}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def on(self, method: str, pattern: str, change: Callable[..., None], *arguments: Any, times: int = 1 << 30) -> None:
        """Change answers to requests whose target matches, the next ``times`` of them. Later rules come first."""
        with self._lock:
            self._rules.insert(0, _Rule(method, re.compile(pattern), change, arguments, times))

    def count(self, method: str, pattern: str) -> int:
        """How many requests of that kind came."""
        return len(self.seen(method, pattern))

    def seen(self, method: str, pattern: str) -> list[Request]:
        """The requests of that kind, oldest first."""
        return [item for item in list(self.requests) if item.method == method and re.search(pattern, item.target)]

    def exchange(self, request: Request, body: bytes) -> Exchange:
        """Pass a request on and apply the rules; for the handler."""
        self.requests.append(request)
        exchange = self._fetch(request, body)
        with self._lock:
            rule = next((rule for rule in self._rules if self._applies(rule, request)), None)
            if rule is not None:
                rule.times -= 1
        if rule is not None:
            rule.change(exchange, *rule.arguments)
        return exchange

    def _applies(self, rule: _Rule, request: Request) -> bool:
        return rule.times > 0 and rule.method == request.method and bool(rule.pattern.search(request.target))

    def _fetch(self, request: Request, body: bytes) -> Exchange:
        if self.tokens is not None and request.target.startswith("/token"):
            status, answer = self.tokens.answer(request.target, request.header("Authorization"))
            return Exchange(request, status, {"Content-Length": str(len(answer))}, answer)
        if not self.upstream:
            return Exchange(request, 404, {"Content-Length": "0"}, b"")
        connection = self._connect()
        try:
            connection.request(request.method, request.target, body, dict(request.headers))
            response = connection.getresponse()
            answer = response.read()
            headers = {key: value for key, value in response.getheaders() if key.lower() not in _HOP}
            headers["Content-Length"] = response.getheader("Content-Length") or str(len(answer))
            return Exchange(request, response.status, headers, answer)
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        if not self.upstream_tls:
            return http.client.HTTPConnection(self.upstream, timeout=30)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(self.upstream, timeout=30, context=context)


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        exchange = self.proxy.exchange(Request(self.command, self.path, dict(self.headers.items())), body)
        self.send_response_only(exchange.status)
        for name, value in exchange.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._send(exchange)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Tests look at ``requests``."""

    def _send(self, exchange: Exchange) -> None:
        if exchange.release is not None:
            self.wfile.write(exchange.body[: exchange.stall_after])
            exchange.release.wait(60)
            exchange.body = exchange.body[exchange.stall_after :]
        if exchange.cut_after is not None:
            self.wfile.write(exchange.body[: exchange.cut_after])
            self.close_connection = True
            socket.socket.shutdown(self.connection, socket.SHUT_RDWR)
            return
        self.wfile.write(exchange.body)
