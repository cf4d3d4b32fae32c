"""The thread that collects."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future

from moorage_gc_scheduler.policies import Limits, Policy
from moorage_sdk import errors
from moorage_sdk.collectors import Collector
from moorage_sdk.metadata import Change, Collection, Metadata

_log = logging.getLogger(__name__)

LONGEST_WAIT = 3600.0
"""Seconds after which an expiry is looked at again, for the wall clock may have been set meanwhile."""

_MARGIN = 0.001


class Scheduler(Collector):
    """Runs collections of ``metadata`` when the policy says so."""

    def __init__(self, metadata: Metadata, limits: Limits) -> None:
        self._metadata = metadata
        self._policy = Policy(limits, time.monotonic())
        self._waiters: list[Future[Collection]] = []
        self._changed = threading.Condition()
        self._stopping = False
        metadata.watch(self._watch)
        self._thread = threading.Thread(target=self._run, name="gc-scheduler", daemon=True)
        self._thread.start()

    def collect(self) -> Future[Collection]:
        waiter: Future[Collection] = Future()
        with self._changed:
            if self._stopping:
                raise errors.Unavailable("garbage collection: the daemon is stopping")
            self._waiters.append(waiter)
            self._policy.request(time.monotonic())
            self._changed.notify_all()
        return waiter

    def stop(self) -> None:
        """Let a running collection end, and fail those who wait for another."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()
        waiters, self._waiters = self._waiters, []
        _fail(waiters, errors.Unavailable("garbage collection: the daemon is stopping"))

    def _watch(self, change: Change) -> None:
        with self._changed:
            before = self._policy.due
            self._policy.changed(change is Change.DELETION, time.monotonic())
            # Most changes move nothing, and waking the thread for each would cost more than they do.
            if self._policy.due != before:
                self._changed.notify_all()

    def _run(self) -> None:
        while (waiters := self._wait()) is not None:
            try:
                collection = self._metadata.collect()
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the next collection must be tried
                _log.exception("garbage collection failed")
                with self._changed:
                    self._policy.failed(time.monotonic())
                _fail(waiters, error)
            else:
                self._finish(waiters, collection)

    def _wait(self) -> list[Future[Collection]] | None:
        """Wait until it is time, and return those who wait for this collection; None to stop."""
        with self._changed:
            while not self._stopping:
                now, due = time.monotonic(), self._policy.due
                if due is None or due > now:
                    self._changed.wait(None if due is None else due - now)
                elif self._policy.wants(now):
                    waiters, self._waiters = self._waiters, []
                    self._policy.begun()
                    return waiters
            return None

    def _finish(self, waiters: list[Future[Collection]], collection: Collection) -> None:
        if collection.removed:
            _log.info("collected %d", len(collection.removed))
        for failure in collection.failures:
            _log.warning("not collected, to be tried again: %s", failure)
        with self._changed:
            now = time.monotonic()
            cost, expiry = collection.marking + collection.pause, _moment(collection.next_expiry, now)
            self._policy.done(now, cost, expiry, complete=not collection.failures)
        for waiter in waiters:
            if waiter.set_running_or_notify_cancel():
                waiter.set_result(collection)


def _fail(waiters: list[Future[Collection]], error: Exception) -> None:
    for waiter in waiters:
        if waiter.set_running_or_notify_cancel():
            waiter.set_exception(error)


def _moment(expiry: int, now: float) -> float | None:
    if not expiry:
        return None
    return now + min(max(expiry / 1e9 - time.time() + _MARGIN, 0.0), LONGEST_WAIT)
