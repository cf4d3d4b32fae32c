"""Stops: how a transfer that is no longer wanted, or has failed in one place, ends everywhere at once.

A client can only be asked whether it still wants the answer (``Pull.cancelled``, ``Push.cancelled``), so waiting is
done in short slices.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from moorage_sdk import errors

SLICE = 0.05
"""Seconds between two looks at ``cancelled`` while waiting."""


class Stop:
    """Shared by all threads of one transfer; ``on_stop`` callbacks wake what blocks in a socket."""

    def __init__(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        self._cancelled = cancelled
        self._event = threading.Event()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def stopped(self) -> bool:
        return self._event.is_set() or self._cancelled()

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once when the transfer stops."""
        self._callbacks.append(callback)

    def stop(self) -> None:
        """End the transfer. Calling it again does nothing."""
        if not self._event.is_set():
            self._event.set()
            for callback in self._callbacks:
                callback()

    def check(self) -> None:
        """Raises errors.Cancelled once the transfer is over."""
        if self.stopped:
            raise errors.Cancelled("transfer: cancelled")

    def wait(self, seconds: float) -> None:
        """Sleep. Raises errors.Cancelled as soon as the transfer is over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.check()
            self._event.wait(min(left, SLICE))
        self.check()
