"""The slot ``gc``: decides when garbage is collected (containerd's ``io.containerd.gc.v1.scheduler``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import Future

from moorage_sdk.metadata import Collection
from moorage_sdk.slots import Slot


class Collector(ABC):
    @abstractmethod
    def collect(self) -> Future[Collection]:
        """Run a collection that begins after this call. Concurrent callers share one."""


COLLECTOR: Slot[Collector] = Slot("gc", "io.containerd.gc.v1")
