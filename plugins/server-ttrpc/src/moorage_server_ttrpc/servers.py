"""A ttrpc server filled from the slot ``ttrpc``."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from moorage_sdk import errors
from moorage_sdk.services import Server, Service
from moorage_ttrpc import peers, servers
from moorage_ttrpc.methods import Method

log = logging.getLogger(__name__)

MODE = 0o660


class TtrpcServer(Server):
    """Serves on a unix socket of mode 0660 that belongs to ``uid`` and ``gid``, for root and that user."""

    def __init__(self, path: Path, uid: int, gid: int, services: Iterable[Service]) -> None:
        self._path = path
        self._uid = uid
        self._gid = gid
        self._services = tuple(service for service in services if service.transport == "ttrpc")
        self._server: servers.Server | None = None

    @property
    def address(self) -> str:
        return str(self._path)

    async def start(self) -> None:
        server = servers.Server(self._bound(), allow=self._allows)
        try:
            await server.serve(self._path, MODE)
            os.chown(self._path, self._uid, self._gid)
        except errors.AlreadyExists as error:
            raise errors.FailedPrecondition(f"{error.message}: address in use: failed precondition") from error
        except OSError as error:
            await server.close()
            raise errors.FailedPrecondition(f'socket "{self._path}": {error.strerror}: failed precondition') from error
        self._server = server

    async def stop(self, grace: float) -> None:
        if self._server is not None:
            await self._server.shutdown(grace)

    def _allows(self, peer: peers.Peer) -> bool:
        return peer.uid == self._uid or peers.same_user(peer)

    def _bound(self) -> dict[str, dict[str, Method]]:
        bound: dict[str, dict[str, Method]] = {}
        for service in self._services:
            try:
                for offered in service.handlers():
                    bound |= offered
            except Exception:  # the fault of one service, maybe a third party's, must not silence the others
                log.exception("service %s: not served", ", ".join(service.names))
        return bound
