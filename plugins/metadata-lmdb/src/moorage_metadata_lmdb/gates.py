"""The lock between those who use a backend and the one who removes things from it.

Opening a writer, preparing and committing hold it shared, from before the backend is touched until the row is written.
Removal holds it alone: then whatever the backend has and no row knows belongs to nobody.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator


class Gate:
    """A shared and exclusive lock, first come, first served. Not reentrant."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # In order of arrival, because either side, if preferred, would starve the other: sharers overlap without end,
        # and a collector with much to remove comes back at once.
        self._waiting: deque[object] = deque()
        self._sharers = 0
        self._taken = False

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        with self._changed:
            self._wait(lambda: not self._taken)
            self._sharers += 1
        try:
            yield
        finally:
            with self._changed:
                self._sharers -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        with self._changed:
            self._wait(lambda: not self._taken and not self._sharers)
            self._taken = True
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()

    def _wait(self, free: Callable[[], bool]) -> None:
        turn = object()
        self._waiting.append(turn)
        try:
            self._changed.wait_for(lambda: self._waiting[0] is turn and free())
        finally:
            self._waiting.remove(turn)
            self._changed.notify_all()
