"""The slots ``service`` and ``server``: what is offered on the wire, and where.

A service says which transports it can be offered on; a server collects all that fit it. ``handlers`` are objects of the
transport's own library, which the contracts do not know: for ``grpc`` generic RPC handlers of grpc.aio, for ``ttrpc``
the services of moorage_ttrpc.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from moorage_sdk.slots import Slot


class Service(ABC):
    @property
    @abstractmethod
    def transport(self) -> str:
        """``grpc`` or ``ttrpc``."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Full names of the services offered (``containerd.services.images.v1.Images``)."""

    @abstractmethod
    def handlers(self) -> Sequence[Any]:
        """Called once, on the daemon's loop, when the server starts."""


class Server(ABC):
    """Started after all plugins are made, stopped before any is closed."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it listens, for the log; empty when configured away."""

    @abstractmethod
    async def start(self) -> None:
        """Returns once connections are accepted. Raises errors.FailedPrecondition for an address in use."""

    @abstractmethod
    async def stop(self, grace: float) -> None:
        """Take no more requests, give the running ones ``grace`` seconds. Calling it again cuts the grace short."""


SERVICE: Slot[Service] = Slot("service", "io.containerd.grpc.v1")
TTRPC_SERVICE: Slot[Service] = Slot("ttrpc", "io.containerd.ttrpc.v1")
SERVER: Slot[Server] = Slot("server", "io.containerd.server.v1")
