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
"""Seconds between attempts once collections, or single removals, failed again and again."""


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
        self._retry: float | None = None

    @property
    def due(self) -> float | None:
        """When to ask ``wants`` next; None for not before something happens."""
        moments = [moment for moment in (self._due, self._expiry, self._retry) if moment is not None]
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
        if any(moment is not None and moment <= now for moment in (self._expiry, self._retry)):
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
        self._due = self._expiry = self._retry = None

    def done(self, now: float, cost: float, next_expiry: float | None, *, complete: bool = True) -> None:
        """A collection ended at ``now`` and cost so many seconds; ``next_expiry`` is when something will expire.

        One that is not ``complete`` left something that could not be removed, and that nothing else may ever call for.
        """
        self._failures = 0 if complete else self._failures + 1
        self._total += cost
        self._runs += 1
        if self._share > 0:
            average = max(self._total / self._runs, MINIMUM_COST)
            self._interval = average / self._share - average
        self._last = now
        # Things that expire one after the other do not get a collection each.
        self._expiry = None if next_expiry is None else max(next_expiry, now + self._interval)
        self._retry = None if complete else now + self._interval + self._pause
        self._due = now + self._interval
        if self._requested:
            self._due = min(self._due, now + self._delay)

    def failed(self, now: float) -> None:
        """A collection failed; try again after an interval, and later each time."""
        self._owed = True
        self._failures += 1
        self._due = now + self._interval + self._pause
        self._last = now

    @property
    def _pause(self) -> float:
        # Doubled that often and no more: a failure that lasts for weeks must not overflow.
        return min(2.0 ** min(self._failures, 16), LONGEST_PAUSE)

    def _mutated(self) -> bool:
        return 0 < self._limits.mutation_threshold <= self._mutations

    def _consider(self, now: float) -> None:
        threshold = self._limits.deletion_threshold
        moment = now + self._delay
        if self._requested or 0 < threshold <= self._deletions:
            self._due = moment if self._due is None else min(self._due, moment)
        elif self._due is None and (self._mutated() or (threshold == 0 and self._deletions > 0)):
            self._due = moment
        elif self._due is None and self._last is not None and self._deletions > 0:
            # Too few to be urgent, but containerd, which goes on asking, collects the next time that it does.
            self._due = now + self._interval
