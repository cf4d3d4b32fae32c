"""What the plugin makes of its configuration."""

import os
from pathlib import Path

from moorage_server_ttrpc import plugin
from moorage_server_ttrpc.plugin import Config
from moorage_testkit.fakes.contexts import Context


def test_it_is_containerds_plugin() -> None:
    assert plugin.plugin.uri == "io.containerd.server.v1.ttrpc"


def test_the_address_stands_beside_the_grpc_servers(tmp_path: Path) -> None:
    ctx = Context(tmp_path)
    assert plugin.make(ctx, Config()).address == str(tmp_path / "state" / "moorage.sock.ttrpc")
    ctx = Context(tmp_path, tables={"io.containerd.server.v1.grpc": {"address": "/run/x.sock"}})
    assert plugin.make(ctx, Config()).address == "/run/x.sock.ttrpc"


def test_a_configured_address_wins(tmp_path: Path) -> None:
    assert plugin.make(Context(tmp_path), Config(address="unix:///run/y.sock")).address == "/run/y.sock"
    assert (Config().uid, Config().gid) == (os.geteuid(), os.getegid())
