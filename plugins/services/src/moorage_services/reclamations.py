"""Giving memory back when a flood of bytes is over.

Messages have up to 16 MiB. Those of calls that were cancelled are garbage in cycles of grpc's own until some
collection, and the allocator keeps what was freed between smaller things.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from moorage_services.pools import Pool

FLOOD = 16 << 20
"""Bytes; less is not worth the collection. Calls that end before their message was read are not counted."""

REST = 1.0
"""Seconds of quiet before it, for what is over is let go of by and by."""


class Reclamation:
    """Counts streams and their bytes; ``give_back`` runs on the pool once the last is over. For one event loop."""

    def __init__(self, pool: Pool, give_back: Callable[[], object], *, flood: int = FLOOD, rest: float = REST) -> None:
        self._pool = pool
        self._give_back = give_back
        self._flood = flood
        self._rest = rest
        self._streams = 0
        self._moved = 0
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def stream(self) -> Iterator[None]:
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1
            if not self._streams and self._moved >= self._flood and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(self._rest, self._reclaim)

    def moved(self, size: int) -> None:
        self._moved += size

    def _reclaim(self) -> None:
        self._timer = None
        if self._streams:
            return  # the last of them will see to it
        self._moved = 0
        with suppress(RuntimeError):  # the pool is closed, and so the daemon about to end
            self._pool.submit(self._give_back)
