"""The lock between those who use a backend and the one who removes things from it.

Opening a writer, preparing and committing hold it shared, from before the backend is touched until the row is written.
Removal holds it alone: then whatever the backend has and no row knows belongs to nobody.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Gate:
    """A shared and exclusive lock. Who waits for exclusive access goes before new sharers. Not reentrant."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._sharers = 0
        self._waiting = 0
        self._taken = False

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._taken and not self._waiting)
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
            self._waiting += 1
            self._changed.wait_for(lambda: not self._taken and not self._sharers)
            self._waiting -= 1
            self._taken = True
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()
