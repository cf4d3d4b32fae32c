"""What the plugins make of their configuration."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from moorage_sdk import config, errors
from moorage_sdk.slots import Daemon, InitContext, Skip
from moorage_server_grpc import plugin
from moorage_server_grpc.plugin import TcpConfig, UnixConfig


def context(program: str = "moorage", unix: UnixConfig | None = None) -> InitContext:
    daemon = Daemon(Path("/r"), Path("/run/there"), "0", program)

    def all_of(slot: Any) -> Mapping[str, Any]:
        return {}

    tables = {plugin.unix.uri: config.encode(unix)} if unix else {}
    return cast(InitContext, SimpleNamespace(daemon=daemon, all=all_of, table=lambda uri: tables.get(uri, {})))


def made(unix: UnixConfig) -> str:
    """The address of the server that such a configuration makes."""
    return plugin.make_unix(context(unix=unix), unix).address


@pytest.mark.parametrize(
    ("program", "address"), [("moorage", "/run/there/moorage.sock"), ("containerd", "/run/there/containerd.sock")]
)
def test_the_default_address_follows_the_daemon(program: str, address: str) -> None:
    assert plugin.make_unix(context(program), UnixConfig()).address == address


def test_a_configured_address_may_be_a_url() -> None:
    assert made(UnixConfig(address="unix:///run/x.sock")) == "/run/x.sock"


def test_abstract_addresses_are_refused() -> None:
    with pytest.raises(errors.InvalidArgument):
        made(UnixConfig(address="@moorage"))


def test_tcp_without_address_is_skipped() -> None:
    with pytest.raises(Skip):
        plugin.make_tcp(context(), TcpConfig())


def test_tcp_takes_certificates_from_files(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"key")
    (tmp_path / "c").write_bytes(b"chain")
    tcp = TcpConfig(address="h:1", tls_key=str(tmp_path / "k"), tls_cert=str(tmp_path / "c"))
    assert plugin.make_tcp(context(), tcp).address == "h:1"
    with pytest.raises(errors.InvalidArgument, match="gone"):
        plugin.make_tcp(context(), TcpConfig(address="h:1", tls_key=str(tmp_path / "gone"), tls_cert="c"))
    with pytest.raises(errors.InvalidArgument, match="tls_ca"):
        plugin.make_tcp(context(), TcpConfig(address="h:1", tls_ca=str(tmp_path / "c")))


def test_owner_defaults_to_the_daemons() -> None:
    assert (UnixConfig().uid, UnixConfig().gid) == (os.geteuid(), os.getegid())


def test_the_environment_is_prepared_by_the_import() -> None:
    assert os.environ["GRPC_ENABLE_FORK_SUPPORT"] == "false"


def test_uris_are_containerds() -> None:
    assert [plugin.unix.uri, plugin.tcp.uri] == ["io.containerd.server.v1.grpc", "io.containerd.server.v1.grpc-tcp"]
