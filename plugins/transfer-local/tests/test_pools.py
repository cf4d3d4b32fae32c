"""Pools: one TLS policy, and connections that somebody knows of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from urllib3.connection import HTTPConnection

from moorage_sdk import errors
from moorage_testkit.registries import Exchange, Proxy
from moorage_transfer_local.hosts import Security
from moorage_transfer_local.pools import Pools, elsewhere


class Watching:
    def __init__(self) -> None:
        self.connections: list[HTTPConnection] = []
        self.heads = 0
        self.pieces = 0

    def opened(self, connection: HTTPConnection) -> None:
        self.connections.append(connection)

    def sends(self, connection: HTTPConnection) -> None:
        self.pieces += 1

    @contextlib.contextmanager
    def waits(self, connection: HTTPConnection) -> Iterator[None]:
        yield
        self.heads += 1


def test_every_connection_piece_and_head_is_told() -> None:
    watching = Watching()
    pools = Pools(Security(), watching)
    with Proxy() as server:
        server.on("GET", "/", Exchange.answer, 200, {}, b"x")
        for _ in range(3):
            assert pools.to(server.url).request("GET", server.url + "/").data == b"x"
        before = watching.pieces
        assert before >= 3
        pools.to(server.url).request("PUT", server.url + "/", body=iter([b"a", b"b", b"c"]))
        assert watching.pieces - before >= 4
    assert (len(watching.connections), watching.heads) == (1, 4)
    assert pools.to("http://localhost/") is pools.to("http://localhost:5000/")
    pools.clear()


def test_unreadable_certificates_are_named(tmp_path: Path) -> None:
    pools = Pools(Security(roots=(tmp_path / "none",)), Watching())
    with pytest.raises(errors.FailedPrecondition, match="registry certificates"):
        pools.to("https://localhost/")


def test_only_roots_hold_elsewhere(tmp_path: Path) -> None:
    full = Security((tmp_path / "ca",), ((tmp_path / "c", None),), True)
    assert elsewhere(full) == Security(roots=(tmp_path / "ca",))


def test_roots_are_read_only_for_tls() -> None:
    """It takes longer than many requests."""
    pools = Pools(Security(roots=(Path("/nonexistent"),)), Watching())
    pools.to("http://localhost/")
    with pytest.raises(errors.FailedPrecondition, match="cannot be loaded"):
        pools.to("https://localhost/")
