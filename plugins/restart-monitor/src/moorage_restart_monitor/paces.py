"""When a container may be started again: soon after it ended, and later each time that it ends at once.

Times of a pace are seconds on one monotonic clock.
"""

from __future__ import annotations

import time

from moorage_sdk.containers import Container
from moorage_sdk.tasks import Process, Status

FIRST = 1.0
"""Seconds after an exit in which nothing happens: who waits for it can ask how it came, and who is about to start the
container by himself need not fear that it was done for him."""

STEADY = 10.0
"""Seconds after which a container counts as started well (``defaultTimeout`` in moby's restartmanager)."""


SETTLING = 5.0
"""Seconds after the last change of a record in which its client may be about to start it: making the task takes as
long as it takes, and a node that is short of time makes it long. (containerd interferes when its interval wants it.)"""


def settling(container: Container, process: Process | None) -> float:
    """How long a container without a started task is left to whoever made or changed its record, by the wall clock."""
    if process is not None and process.status is not Status.CREATED:
        return 0.0
    age = time.time() - container.updated_at / 1e9
    return SETTLING - age if 0 <= age < SETTLING else 0.0


class Pace:
    """Of one container. ``longest`` is the longest pause before a restart."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._quick = 0
        self._started: float | None = None
        self._down: float | None = None

    def up(self, now: float) -> None:
        """It runs, or is not to be started."""
        self._down = None
        self._settle(now)

    def down(self, now: float) -> float:
        """It does not run but shall. Returns how long that is to be borne yet."""
        if self._down is None:
            self._down = now
            self._settle(now)
        return max(0.0, self._down + self._pause - now)

    def started(self, now: float) -> None:
        """It is started, or was tried to."""
        self._quick += 1
        self._started = now
        self._down = None

    @property
    def _pause(self) -> float:
        # Doubled that often and no more: a loop that lasts for weeks must not overflow.
        return min(FIRST * 2.0 ** min(self._quick, 16), self._longest)

    def _settle(self, now: float) -> None:
        if self._started is not None and now - self._started >= STEADY:
            self._quick, self._started = 0, None
