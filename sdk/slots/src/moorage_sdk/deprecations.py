"""The slot ``warning``: what the host, the configuration or a client still uses and should not for long.

It is shown by introspection, and so by ``ctr deprecations list`` and by every client that looks for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from moorage_sdk.slots import Slot

PREFIX = "io.containerd.deprecation/"
"""How ids begin (``pkg/deprecation/deprecation.go`` in containerd v2.3)."""


@dataclass(frozen=True)
class Deprecation:
    """``last_at``: when it was met last, in nanoseconds since the epoch."""

    id: str
    message: str
    last_at: int


class Deprecations(ABC):
    """May be called from many threads, and never waits."""

    @abstractmethod
    def warn(self, id: str, message: str) -> None:
        """Remember that it was met now. ``id`` goes without the prefix; the message of the last call counts."""

    @abstractmethod
    def met(self) -> tuple[Deprecation, ...]:
        """All that were met since the daemon started, by id."""


DEPRECATIONS: Slot[Deprecations] = Slot("warning", "io.containerd.warning.v1")
