"""The slot ``runtime``: who carries the containers of a runtime name.

A runtime is reached as a shim: it serves containerd's Task API over ttrpc. What a plugin adds is how its shim comes to
be: one process for the whole node (``runtime-runc``), one per pod (kata), or whatever it likes. Names that no plugin
serves are started by the task manager itself from ``containerd-shim-<name>-<version>``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from moorage_sdk.events import Payload
from moorage_sdk.slots import Slot
from moorage_sdk.tasks import Bundle


@dataclass(frozen=True)
class Endpoint:
    """Where a shim listens: a path of a unix socket, and the version of the Task API it speaks (2 or 3).

    ``shared`` says that other containers live behind it too, so that it is not shut down with any one of them.
    ``protocol`` is what carries the API: ``ttrpc`` or ``grpc``.
    """

    path: str
    version: int = 3
    shared: bool = False
    protocol: str = "ttrpc"


class Runtime(ABC):
    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The runtime names it serves, such as ``io.containerd.runc.v2``."""

    @abstractmethod
    async def start(self, bundle: Bundle, options: Payload | None = None) -> Endpoint:
        """Make sure that a shim is there for a new task; ``options`` are the runtime's own, as the client sent them.

        Raises errors.InvalidArgument and errors.NotFound about the options, errors.Unavailable with the
        reason when it cannot be started or does not answer in time.
        """

    @abstractmethod
    async def find(self, bundle: Bundle) -> Endpoint | None:
        """The shim of a task of an earlier daemon, which may not know it; None when there is none that could."""

    @abstractmethod
    async def cleanup(self, bundle: Bundle) -> None:
        """Kill and remove what is left of a task whose shim is dead; the bundle itself stays the caller's."""


RUNTIME: Slot[Runtime] = Slot("runtime", "io.containerd.runtime.v1")
