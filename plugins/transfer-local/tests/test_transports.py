"""Transports: one hop, and that it always ends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_testkit import certificates
from moorage_testkit.registries import Exchange, Proxy
from moorage_transfer_local.failures import Failed
from moorage_transfer_local.hosts import Security
from moorage_transfer_local.transports import Timeouts, Transport

LOCAL = Security(skip_verify=True)


@pytest.fixture
def server() -> Iterator[Proxy]:
    with Proxy() as running:
        yield running


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(Security(), Timeouts(5, 5))
    yield made
    made.abort()
    made.close()


class Dripping:
    """A server that sends its text byte by byte, one each ``pause`` seconds."""

    def __init__(self, text: bytes, pause: float) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.done = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(text, pause))
        self._thread.start()

    def _serve(self, text: bytes, pause: float) -> None:
        connection, _ = self.listener.accept()
        with connection:
            for n in range(len(text)):
                try:
                    connection.sendall(text[n : n + 1])
                except OSError:
                    return
                if self.done.wait(pause):
                    return

    def close(self) -> None:
        self.done.set()
        self._thread.join()
        self.listener.close()


def test_an_answer_is_given_as_it_is(server: Proxy, transport: Transport) -> None:
    server.on("GET", "/x", Exchange.answer, 307, {"Location": "/y", "Content-Encoding": "gzip"}, b"not gzip")
    with transport.send("GET", f"{server.url}/x?a=b", {"X-Own": "1"}) as response:
        assert (response.status, response.headers["Location"], response.length) == (307, "/y", 8)
        assert response.body(8) == b"not gzip"
    [request] = server.requests
    assert (request.target, request.header("X-Own")) == ("/x?a=b", "1")
    assert request.header("Accept-Encoding") == "identity"
    assert request.header("User-Agent") == "moorage"


def test_a_body_over_the_limit_is_not_read_on(server: Proxy, transport: Transport) -> None:
    server.on("GET", "/", Exchange.answer, 200, {}, b"x" * 100)
    with transport.send("GET", server.url + "/", {}) as response, pytest.raises(errors.ResourceExhausted):
        response.body(99)


def test_a_body_that_breaks_off_is_told(server: Proxy, transport: Transport) -> None:
    server.on("GET", "/", lambda exchange: (exchange.answer(200, {}, b"x" * 100), exchange.cut(40)))
    received = b""
    with transport.send("GET", server.url + "/", {}) as response, pytest.raises(Failed, match="40 bytes read, 60 more"):
        for chunk in response.chunks():
            received += chunk
    assert received == b"x" * 40


def test_connections_are_used_again(server: Proxy, transport: Transport) -> None:
    server.on("GET", "/", Exchange.answer, 200, {}, b"x")
    for _ in range(3):
        with transport.send("GET", server.url + "/", {}) as response:
            assert response.body(10) == b"x"
    assert len(transport._sockets) == 1


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "https://nowhere.invalid/"])
def test_who_cannot_be_reached_is_named(transport: Transport, address: str) -> None:
    with pytest.raises(Failed, match=f'"{address}": [A-Z]') as caught:
        transport.send("GET", address, {})
    assert not caught.value.plaintext


def test_a_server_without_tls_is_recognised(server: Proxy, transport: Transport) -> None:
    with pytest.raises(Failed) as caught:
        transport.send("GET", server.url.replace("http:", "https:"), {})
    assert caught.value.plaintext


def test_certificates_are_checked_unless_told_otherwise(tmp_path: Path, transport: Transport) -> None:
    made = certificates.make(tmp_path)
    with Proxy(certificate=made) as server:
        with pytest.raises(Failed, match="certificate not accepted: self-signed"):
            transport.send("GET", server.url, {})
        for security in (LOCAL, Security(roots=(made.certificate,))):
            trusting = Transport(security, Timeouts(5, 5))
            with trusting.send("GET", server.url, {}) as response:
                assert response.status == 404
            trusting.close()


@pytest.mark.parametrize("tls", [False, True])
def test_abort_wakes_a_reader_and_forbids_more(tmp_path: Path, tls: bool, release: threading.Event) -> None:
    transport = Transport(LOCAL, Timeouts(5, 600))
    with Proxy(certificate=certificates.make(tmp_path) if tls else None) as server:
        server.on("GET", "/", lambda exchange: (exchange.answer(200, {}, b"x" * 100), exchange.stall(10, release)))
        with transport.send("GET", server.url + "/", {}) as response:
            threading.Timer(0.1, transport.abort).start()
            began = time.monotonic()
            with pytest.raises(Failed):
                list(response.chunks())
            assert time.monotonic() - began < 60
        with pytest.raises(errors.Cancelled):
            transport.send("GET", server.url + "/", {})
    transport.close()


def test_dripping_headers_expire() -> None:
    server = Dripping(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000, 0.02)
    transport = Transport(Security(), Timeouts(5, 0.3))
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            transport.expire()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(Failed):
            transport.send("GET", f"http://{server.address}/", {})
    finally:
        over.set()
        watcher.join()
        server.close()
        transport.close()


def test_who_reads_slowly_is_not_the_servers_fault(server: Proxy) -> None:
    transport = Transport(Security(), Timeouts(5, 0.05))
    server.on("GET", "/", Exchange.answer, 200, {}, b"x" * 100)
    with transport.send("GET", server.url + "/", {}) as response:
        for chunk in response.chunks():
            time.sleep(0.1)
            assert chunk == b"x" * 100
    transport.close()


def test_a_dripping_body_is_no_progress() -> None:
    server = Dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000, 0.01)
    transport = Transport(Security(), Timeouts(5, 0.5))
    try:
        with transport.send("GET", f"http://{server.address}/", {}) as response:
            with pytest.raises(Failed, match="no progress"):
                list(response.chunks())
    finally:
        server.close()
        transport.close()


@pytest.mark.parametrize("length", ["-1", "x", "٣", "", "9" * 5000])
def test_a_senseless_length_is_none(server: Proxy, transport: Transport, length: str) -> None:
    server.on("HEAD", "/", lambda exchange: exchange.set("Content-Length", length.encode().decode("latin-1")))
    with transport.send("HEAD", server.url + "/", {}) as response:
        assert response.length is None


def test_two_lengths_are_a_broken_answer(server: Proxy, transport: Transport) -> None:
    server.on("GET", "/", lambda exchange: exchange.set("Content-Length", "1, 2"))
    with pytest.raises(Failed):
        transport.send("GET", server.url + "/", {})
