"""The daemon's sockets, configured and derived."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from moorage_sdk import addresses
from moorage_sdk.slots import Daemon, InitContext


def context(program: str = "moorage", **tables: Any) -> InitContext:
    known = {f"io.containerd.server.v1.{name}": table for name, table in tables.items()}
    daemon = Daemon(Path("/root"), Path("/state"), "0", program)
    return cast(InitContext, SimpleNamespace(daemon=daemon, table=lambda uri: known.get(uri, {})))


@pytest.mark.parametrize(("program", "name"), [("moorage", "moorage.sock"), ("containerd", "containerd.sock")])
def test_unconfigured_addresses_lie_in_the_state_directory(program: str, name: str) -> None:
    assert addresses.grpc(context(program)) == f"/state/{name}"
    assert addresses.ttrpc(context(program)) == f"/state/{name}.ttrpc"


def test_ttrpc_follows_a_configured_grpc_address() -> None:
    ctx = context(grpc={"address": "unix:///run/x.sock"})
    assert (addresses.grpc(ctx), addresses.ttrpc(ctx)) == ("/run/x.sock", "/run/x.sock.ttrpc")


def test_ttrpc_may_lie_elsewhere() -> None:
    ctx = context(grpc={"address": "/a"}, ttrpc={"address": "/b"})
    assert (addresses.grpc(ctx), addresses.ttrpc(ctx)) == ("/a", "/b")


def test_an_address_that_is_no_text_is_left_to_the_decoder() -> None:
    assert addresses.grpc(context(grpc={"address": 5})) == "/state/moorage.sock"


def test_a_relative_address_is_one_of_the_daemons_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shims run in other directories."""
    monkeypatch.chdir(tmp_path)
    ctx = context(grpc={"address": "m.sock"})
    assert (addresses.grpc(ctx), addresses.ttrpc(ctx)) == (f"{tmp_path}/m.sock", f"{tmp_path}/m.sock.ttrpc")
