"""Flights: work on one digest or chain id is done by one thread at a time, whoever pulls.

The second to come waits, then finds the work done. Locks are keyed and not reentrant. Order, so that nobody waits in a
circle: chain ids from the lowest layer up, then one blob, then a place among the downloads.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from moorage_transfer_local.stops import SLICE, Stop


class Flights:
    """Keyed locks that a stopped pull does not wait for."""

    def __init__(self) -> None:
        self._held: set[Hashable] = set()
        self._freed = threading.Condition()

    @contextmanager
    def hold(self, key: Hashable, stop: Stop) -> Iterator[None]:
        """Have ``key`` alone. Raises errors.Cancelled when the pull stops while waiting."""
        with self._freed:
            while key in self._held:
                stop.check()
                self._freed.wait(SLICE)
            self._held.add(key)
        try:
            yield
        finally:
            with self._freed:
                self._held.remove(key)
                self._freed.notify_all()


class Places:
    """A number of places, shared by all pulls of the daemon."""

    def __init__(self, count: int) -> None:
        self._places = threading.BoundedSemaphore(max(count, 1))

    @contextmanager
    def take(self, stop: Stop) -> Iterator[None]:
        """Occupy a place. Raises errors.Cancelled when the pull stops while waiting."""
        while not self._places.acquire(timeout=SLICE):
            stop.check()
        try:
            yield
        finally:
            self.give_back()

    def try_take(self) -> bool:
        """Occupy a place if one is free; ``give_back`` it."""
        return self._places.acquire(blocking=False)

    def give_back(self) -> None:
        self._places.release()
