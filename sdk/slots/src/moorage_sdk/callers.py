"""Who waits for an answer: for work in threads, which no cancellation reaches.

A service says so for the length of a call, and the context goes along to its worker threads. What can be given up half
way, such as a call of another process, looks for it::

    caller = callers.current()
    if caller is not None:
        with caller.watched(call.cancel):
            call.result(timeout=caller.remaining())
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Caller:
    """Someone who waits until a deadline, in seconds of ``time.monotonic``, or for ever, or has gone away."""

    def __init__(self, deadline: float | None = None) -> None:
        self._deadline = deadline
        self._lock = threading.Lock()
        self._watching: list[Callable[[], object]] = []
        self._gone = False

    def remaining(self) -> float | None:
        """Seconds until the deadline, never less than 0; None for no deadline."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    @contextmanager
    def watched(self, gone: Callable[[], object]) -> Iterator[None]:
        """Has ``gone`` called, from any thread, when the caller goes away in the block or has gone before."""
        with self._lock:
            left = self._gone
            self._watching.append(gone)
        try:
            if left:
                gone()
            yield
        finally:
            with self._lock:
                self._watching.remove(gone)

    def leave(self) -> None:
        """The caller has gone, or has its answer."""
        with self._lock:
            self._gone, watching = True, list(self._watching)
        for gone in watching:
            gone()


CURRENT: ContextVar[Caller | None] = ContextVar("moorage-caller", default=None)


def current() -> Caller | None:
    """Who waits for what is being done here; None for what is done on nobody's behalf."""
    return CURRENT.get()
