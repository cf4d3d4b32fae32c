"""Registers the server ``ttrpc`` (plugins/server/ttrpc/plugin.go in containerd v2.3)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from moorage_sdk import addresses
from moorage_sdk.services import SERVER, TTRPC_SERVICE, Server
from moorage_sdk.slots import InitContext, Plugin
from moorage_server_ttrpc.servers import TtrpcServer
from moorage_ttrpc import sockets


@dataclass(frozen=True)
class Config:
    address: str = ""
    """Path of the socket; empty is the gRPC server's with ``.ttrpc`` behind it."""
    uid: int = field(default_factory=os.geteuid)
    """Owner of the socket."""
    gid: int = field(default_factory=os.getegid)
    """Group of the socket."""


def make(ctx: InitContext, config: Config) -> Server:
    path = sockets.path_of(config.address or addresses.ttrpc(ctx))
    return TtrpcServer(path, config.uid, config.gid, ctx.all(TTRPC_SERVICE).values())


plugin = Plugin(SERVER, "ttrpc", make, Config, requires=(TTRPC_SERVICE,))
