"""Proxies of the network, not of the testkit: what the environment names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moorage_sdk import errors
from moorage_testkit.registries import Exchange, Proxy
from moorage_transfer_local import proxies
from moorage_transfer_local.failures import Failed
from moorage_transfer_local.hosts import Security
from moorage_transfer_local.transports import Timeouts, Transport


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


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("scheme", ["", "http://", "http://me:p%40ss@"])
def test_one_is_asked_for_a_plain_registry(
    environment: pytest.MonkeyPatch, server: Proxy, transport: Transport, scheme: str
) -> None:
    environment.setenv("HTTP_PROXY", scheme + server.address)
    server.on("GET", "/x", Exchange.answer, 200, {}, b"by proxy")
    with transport.send("GET", "http://registry.invalid/x", {}) as response:
        assert response.body(100) == b"by proxy"
    [request] = server.requests
    assert request.target == "http://registry.invalid/x"
    expected = "Basic bWU6cEBzcw==" if "@" in scheme else ""
    assert request.header("Proxy-Authorization") == expected


def test_one_tunnels_to_a_secure_registry(environment: pytest.MonkeyPatch, transport: Transport, server: Proxy) -> None:
    environment.setenv("https_proxy", server.url)
    with pytest.raises(Failed, match="Tunnel connection failed: 501"):
        transport.send("GET", "https://registry.invalid/x", {})  # the server knows no CONNECT, but was asked


def test_none_is_asked_for_exceptions_and_for_this_machine(
    environment: pytest.MonkeyPatch, server: Proxy, transport: Transport
) -> None:
    environment.setenv("http_proxy", "http://127.0.0.1:9")
    with transport.send("GET", server.url, {}) as response:
        assert response.status == 404
    environment.setenv("no_proxy", ".invalid,10.0.0.1")
    for address in ("http://registry.invalid/", "http://a.registry.invalid:5000/"):
        with pytest.raises(Failed, match=r"[Nn]ame"):
            transport.send("GET", address, {})


def test_networks_are_exceptions(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", "proxy:3128")
    environment.setenv("no_proxy", "x,10.0.0.0/8,nonsense/9, fd00::/8")
    assert proxies.of("http://10.1.2.3:5000/") == proxies.of("http://[fd00::1]/") == ""
    assert proxies.of("http://11.1.2.3/") == proxies.of("http://a.io/") == "http://proxy:3128"


def test_a_malformed_one_is_named(environment: pytest.MonkeyPatch, transport: Transport) -> None:
    environment.setenv("http_proxy", "ftp://me:secret@proxy")
    with pytest.raises(errors.FailedPrecondition, match='proxy "ftp://proxy"'):
        transport.send("GET", "http://registry.invalid/", {})
