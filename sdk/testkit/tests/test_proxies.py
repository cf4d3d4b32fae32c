"""The proxy, before itself."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_testkit import certificates
from moorage_testkit.proxies import Exchange, Proxy


@pytest.fixture
def upstream() -> Iterator[Proxy]:
    with Proxy() as running:
        running.on("GET", "/", Exchange.answer, 200, {"X-Up": "1"}, b"0123456789")
        yield running


@pytest.fixture
def proxy(upstream: Proxy) -> Iterator[Proxy]:
    with Proxy(upstream.address) as running:
        yield running


def get(proxy: Proxy, target: str = "/", method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(proxy.address, timeout=10)
    try:
        connection.request(method, target, headers={"X-Own": "y"})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def test_requests_and_answers_are_passed_on(proxy: Proxy, upstream: Proxy) -> None:
    status, headers, body = get(proxy, "/a?b")
    assert (status, headers["X-Up"], body) == (200, "1", b"0123456789")
    [request] = upstream.requests
    assert (request.target, request.header("x-own"), request.header("none")) == ("/a?b", "y", "")


def test_without_an_upstream_nothing_is_found() -> None:
    with Proxy() as alone:
        assert get(alone)[0] == 404


def test_rules_apply_the_latest_first_and_as_often_as_said(proxy: Proxy) -> None:
    proxy.on("GET", "/", Exchange.replace, b"always")
    proxy.on("GET", "/x", Exchange.answer, 503, {"Retry-After": "1"}, times=1)
    assert get(proxy, "/x")[0] == 503
    assert get(proxy, "/x")[2] == get(proxy, "/y")[2] == b"always"
    assert proxy.count("GET", "/x") == 2
    assert [request.target for request in proxy.seen("GET", "/y")] == ["/y"]


def test_bodies_can_be_spoilt_in_every_way(proxy: Proxy, upstream: Proxy) -> None:
    proxy.on("GET", "/corrupt", Exchange.corrupt, 1)
    assert get(proxy, "/corrupt")[2] == b"0\xce23456789"
    proxy.on("GET", "/cut", Exchange.cut, 4)
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(proxy, "/cut")
    assert caught.value.partial == b"0123"
    proxy.on("GET", "/lie", Exchange.set, "Content-Length", "3")
    assert get(proxy, "/lie")[2] == b"012"
    proxy.on("GET", "/bare", Exchange.set, "x-up", None)
    assert "X-Up" not in get(proxy, "/bare")[1]


def test_a_body_can_stop_in_the_middle(proxy: Proxy) -> None:
    release = threading.Event()
    proxy.on("GET", "/", Exchange.stall, 4, release)
    connection = http.client.HTTPConnection(proxy.address, timeout=10)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.read(4) == b"0123"
    release.set()
    assert response.read() == b"456789"
    connection.close()


def test_it_speaks_tls_on_both_sides(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    with Proxy(certificate=made) as inner, Proxy(inner.address, upstream_tls=True) as outer:
        inner.on("GET", "/", Exchange.answer, 200, {}, b"secret")
        assert (inner.url[:8], outer.url[:7]) == ("https://", "http://")
        assert get(outer)[2] == b"secret"
