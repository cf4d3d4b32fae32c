"""A grpc.aio server filled from the slot ``service``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from moorage_api import serving
from moorage_sdk import errors
from moorage_sdk.services import Server, Service
from moorage_server_grpc import departures, reflections
from moorage_server_grpc.moorings import Mooring

log = logging.getLogger(__name__)

MAX_MESSAGE = 16 << 20
"""Both ways (``defaults/defaults.go`` in containerd v2.3); grpc's own default for receiving is 4 MiB."""

MAX_METADATA = 64 << 10
MAX_CALLS = 65_536


@dataclass(frozen=True)
class Limits:
    """Bytes of one message; 0 or less is the default."""

    receive: int = MAX_MESSAGE
    send: int = MAX_MESSAGE

    def options(self) -> list[tuple[str, int]]:
        """Channel arguments (``include/grpc/impl/channel_arg_names.h``)."""
        return [
            ("grpc.max_receive_message_length", self.receive if self.receive > 0 else MAX_MESSAGE),
            ("grpc.max_send_message_length", self.send if self.send > 0 else MAX_MESSAGE),
            ("grpc.max_metadata_size", MAX_METADATA),
            ("grpc.absolute_max_metadata_size", MAX_METADATA),
            ("grpc.so_reuseport", 0),  # a second daemon on a TCP port must fail, not share
            # Go clients keep idle connections alive with pings; the default policy would hang up on them.
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 1_000),
            ("grpc.http2.max_ping_strikes", 0),
        ]


class _Directory(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """All services as one handler, which asks the one that a method belongs to; grpc would ask each in turn."""

    def __init__(self, services: Iterable[Service], *, reflection: bool = False) -> None:
        self._handlers: dict[str, list[grpc.GenericRpcHandler]] = {}
        self._fallback = serving.fallback()
        for service in services:
            handlers = _handlers(service)
            for name in service.names:
                self._handlers.setdefault(name, []).extend(handlers)
        if reflection:
            for name, handler in reflections.handlers(self._handlers).items():
                self._handlers.setdefault(name, []).append(handler)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        name = details.method.removeprefix("/").rpartition("/")[0]
        for handler in self._handlers.get(name, ()):
            found = handler.service(details)
            if found is not None:
                return found
        return self._fallback.service(details)


class GrpcServer(Server):
    """What both servers share: services, whether they are told by reflection, limits, the way to stop."""

    def __init__(self, services: Iterable[Service], limits: Limits, *, reflection: bool) -> None:
        self._services = tuple(service for service in services if service.transport == "grpc")
        self._limits = limits
        self._reflection = reflection
        self._server: grpc.aio.Server | None = None

    def _make(self) -> grpc.aio.Server:
        departures.expect()
        server = grpc.aio.server(options=self._limits.options(), maximum_concurrent_rpcs=MAX_CALLS)
        server.add_generic_rpc_handlers((_Directory(self._services, reflection=self._reflection),))
        self._server = server
        return server

    async def stop(self, grace: float) -> None:
        if self._server is not None:
            await self._server.stop(grace)


class UnixServer(GrpcServer):
    """Serves on a unix socket of mode 0660."""

    def __init__(
        self,
        mooring: Mooring,
        services: Iterable[Service],
        limits: Limits | None = None,
        *,
        reflection: bool = False,
    ) -> None:
        super().__init__(services, limits or Limits(), reflection=reflection)
        self._mooring = mooring

    @property
    def address(self) -> str:
        return str(self._mooring.path)

    async def start(self) -> None:
        server = self._make()
        try:
            _bind(server, f"unix:{self._mooring.stage()}", None, self.address)
            await server.start()
            self._mooring.publish()
        except BaseException:
            await server.stop(0)
            self._mooring.remove()
            raise

    async def stop(self, grace: float) -> None:
        # The name goes first: whoever comes now must get "connection refused", not an answer cut short.
        self._mooring.remove()
        await super().stop(grace)


@dataclass(frozen=True)
class Certificates:
    """PEM, as bytes. With ``authority`` clients must show a certificate that it signed."""

    key: bytes
    chain: bytes
    authority: bytes = b""

    def credentials(self) -> grpc.ServerCredentials:
        return grpc.ssl_server_credentials(
            [(self.key, self.chain)], self.authority or None, require_client_auth=bool(self.authority)
        )


class TcpServer(GrpcServer):
    """Serves on ``host:port``, with TLS if there are certificates."""

    def __init__(
        self,
        address: str,
        services: Iterable[Service],
        certificates: Certificates | None = None,
        limits: Limits | None = None,
        *,
        reflection: bool = False,
    ) -> None:
        super().__init__(services, limits or Limits(), reflection=reflection)
        self._address = address
        self._certificates = certificates

    @property
    def address(self) -> str:
        return self._address

    async def start(self) -> None:
        server = self._make()
        if self._certificates is None:
            log.warning("server %s: no TLS, whoever reaches it is root on this host", self._address)
        port = _bind(server, self._address, self._certificates, self._address)
        host, _, wanted = self._address.rpartition(":")
        if wanted == "0":
            self._address = f"{host}:{port}"
        await server.start()


def _bind(server: grpc.aio.Server, where: str, certificates: Certificates | None, address: str) -> int:
    try:
        if certificates is None:
            return int(server.add_insecure_port(where))
        return int(server.add_secure_port(where, certificates.credentials()))
    except RuntimeError as error:
        raise errors.FailedPrecondition(f'server "{address}": cannot listen: failed precondition') from error


def _handlers(service: Service) -> Sequence[Any]:
    try:
        return service.handlers()
    except Exception:  # the fault of one service, maybe a third party's, must not keep the others from the wire
        log.exception("service %s: not served", ", ".join(service.names))
        return ()
