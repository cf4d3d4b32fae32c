"""The slot ``container-monitor``: keeps containers in the state that their records ask for.

Records ask by labels; which ones, and how, is a plugin's own matter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from moorage_sdk.slots import Slot


class ContainerMonitor(ABC):
    """Works by itself from its making to its closing, in all namespaces."""

    @abstractmethod
    async def reconcile(self) -> None:
        """Look at all containers now, and return when what follows from that is done. What fails is logged."""


CONTAINER_MONITOR: Slot[ContainerMonitor] = Slot("container-monitor", "io.containerd.monitor.container.v1")
