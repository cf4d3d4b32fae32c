"""Registers the servers ``grpc`` and ``grpc-tcp``, with the keys and defaults of plugins/server/grpc/plugin.go."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from moorage_sdk import addresses, errors
from moorage_sdk.services import SERVER, SERVICE, Server
from moorage_sdk.slots import InitContext, Plugin, Skip
from moorage_server_grpc.moorings import Mooring
from moorage_server_grpc.servers import MAX_MESSAGE, Certificates, Limits, TcpServer, UnixServer
from moorage_ttrpc import sockets


@dataclass(frozen=True)
class UnixConfig:
    address: str = ""
    """Path of the socket; empty is ``moorage.sock`` in the state directory (``containerd.sock`` under that name)."""
    uid: int = field(default_factory=os.geteuid)
    """Owner of the socket."""
    gid: int = field(default_factory=os.getegid)
    """Group of the socket, which may use it."""
    max_recv_message_size: int = MAX_MESSAGE
    """Bytes of a request."""
    max_send_message_size: int = MAX_MESSAGE
    """Bytes of a response."""
    reflection: bool = False
    """Tell clients which services and messages there are (grpc.reflection.v1), for tools such as grpcurl."""


@dataclass(frozen=True)
class TcpConfig:
    address: str = ""
    """``host:port``; empty is no server."""
    tls_ca: str = ""
    """File of the authority that must have signed the certificates of clients; empty asks for none."""
    tls_cert: str = ""
    """File of the server's certificate and the chain above it."""
    tls_key: str = ""
    """File of the private key to it."""
    tls_common_name: str = ""
    """Picks a certificate of the Windows store; has no meaning here."""
    max_recv_message_size: int = MAX_MESSAGE
    """Bytes of a request."""
    max_send_message_size: int = MAX_MESSAGE
    """Bytes of a response."""
    reflection: bool = False
    """Tell clients which services and messages there are (grpc.reflection.v1), for tools such as grpcurl."""


def make_unix(ctx: InitContext, config: UnixConfig) -> Server:
    mooring = Mooring(sockets.path_of(addresses.grpc(ctx)), config.uid, config.gid)
    limits = Limits(config.max_recv_message_size, config.max_send_message_size)
    return UnixServer(mooring, ctx.all(SERVICE).values(), limits, reflection=config.reflection)


def make_tcp(ctx: InitContext, config: TcpConfig) -> Server:
    if not config.address:
        raise Skip("no address is set")
    limits = Limits(config.max_recv_message_size, config.max_send_message_size)
    services = ctx.all(SERVICE).values()
    return TcpServer(config.address, services, _certificates(config), limits, reflection=config.reflection)


def _certificates(config: TcpConfig) -> Certificates | None:
    if not config.tls_cert and not config.tls_key:
        if config.tls_ca:
            raise errors.InvalidArgument("tls_ca: set without tls_cert and tls_key: invalid argument")
        return None
    authority = _read(config.tls_ca) if config.tls_ca else b""
    return Certificates(_read(config.tls_key), _read(config.tls_cert), authority)


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise errors.InvalidArgument(f'certificate file "{file}": {error.strerror}: invalid argument') from error


unix = Plugin(SERVER, "grpc", make_unix, UnixConfig, requires=(SERVICE,))
tcp = Plugin(SERVER, "grpc-tcp", make_tcp, TcpConfig, requires=(SERVICE,))
