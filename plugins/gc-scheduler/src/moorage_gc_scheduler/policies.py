"""When to collect: the rules of ``plugins/gc/scheduler.go``, without clock or thread.

All times are seconds on one monotonic clock. A policy hears of changes, requests and collections; it says when the
next moment is (``due``) and whether it is one to collect at.
"""

from __future__ import annotations

from dataclasses import dataclass

MINIMUM_COST = 0.005
"""A collection counts as at least this long, or a fast one would be followed by the next at once."""

MAXIMUM_SHARE = 0.5

LONGEST_PAUSE = 300.0
"""Seconds between attempts once collections failed again and again."""


@dataclass(frozen=True)
class Limits:
    """See ``plugin.Config``; delays in seconds."""

    pause_threshold: float = 0.02
    deletion_threshold: int = 0
    mutation_threshold: int = 100
    schedule_delay: float = 0.0
    startup_delay: float = 0.1


class Policy:
    """Counts, and decides."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._share = min(max(limits.pause_threshold, 0.0), MAXIMUM_SHARE)
        self._delay = max(limits.schedule_delay, 0.0)
        self._interval = 1.0
        self._total = 0.0
        self._runs = 0
        self._failures = 0
        self._deletions = 0
        self._mutations = 0
        self._requested = False
        self._owed = False
        self._last: float | None = None
        self._due: float | None = now + limits.startup_delay if limits.startup_delay > 0 else None
        self._expiry: float | None = None

    @property
    def due(self) -> float | None:
        """When to ask ``wants`` next; None for not before something happens."""
        moments = [moment for moment in (self._due, self._expiry) if moment is not None]
        return min(moments, default=None)

    def changed(self, deletion: bool, now: float) -> None:
        """A change was committed."""
        self._mutations += 1
        self._deletions += deletion
        self._consider(now)

    def request(self, now: float) -> None:
        """Somebody wants a collection."""
        self._requested = True
        self._consider(now)

    def wants(self, now: float) -> bool:
        """Whether to collect, now that ``due`` has come; if not, the question is put off by an interval."""
        if self._expiry is not None and self._expiry <= now:
            return True
        if self._due is None or self._due > now:
            return False
        if self._last is None or self._requested or self._owed or self._deletions or self._mutated():
            return True
        # containerd asks again after an interval; nothing can have changed by then that ``changed`` would not tell.
        self._due = None
        return False

    def begun(self) -> None:
        """A collection begins: what is counted from here on belongs to the next one."""
        self._requested = self._owed = False
        self._deletions = self._mutations = 0
        self._due = self._expiry = None

    def done(self, now: float, cost: float, next_expiry: float | None) -> None:
        """A collection ended at ``now`` and cost so many seconds; ``next_expiry`` is when something will expire."""
        self._failures = 0
        self._total += cost
        self._runs += 1
        if self._share > 0:
            average = max(self._total / self._runs, MINIMUM_COST)
            self._interval = average / self._share - average
        self._last = now
        # Things that expire one after the other do not get a collection each.
        self._expiry = None if next_expiry is None else max(next_expiry, now + self._interval)
        self._due = now + self._interval
        if self._requested:
            self._due = min(self._due, now + self._delay)

    def failed(self, now: float) -> None:
        """A collection failed; try again after an interval, and later each time."""
        self._owed = True
        self._failures += 1
        self._due = now + self._interval + min(2.0**self._failures, LONGEST_PAUSE)
        self._last = now

    def _mutated(self) -> bool:
        return 0 < self._limits.mutation_threshold <= self._mutations

    def _consider(self, now: float) -> None:
        threshold = self._limits.deletion_threshold
        urgent = self._requested or 0 < threshold <= self._deletions
        idle = self._due is None and ((threshold == 0 and self._deletions > 0) or self._mutated())
        if not (urgent or idle):
            return
        moment = now + self._delay
        if self._due is None or self._due > moment:
            self._due = moment
