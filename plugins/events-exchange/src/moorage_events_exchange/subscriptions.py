"""The reader's end of the exchange."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from moorage_sdk import errors
from moorage_sdk.events import Envelope, Subscription

_log = logging.getLogger(__name__)

_OBJECTS = 300
"""Bytes of an envelope's Python objects, about."""


class BoundedSubscription(Subscription):
    """A queue of at most ``limit`` envelopes and ``size`` bytes of them, but of one envelope however large.

    ``closed`` is called once, when it wants no more.
    """

    def __init__(
        self,
        wake: Callable[[], None],
        match: Callable[[Envelope], bool],
        limit: int,
        size: int,
        closed: Callable[[BoundedSubscription], None],
    ) -> None:
        self._wake = wake
        self._match = match
        self._limit = limit
        self._size = size
        self._held = 0
        self._closed = closed
        self._queue: deque[Envelope] = deque()
        self._overrun = False
        self._open = True
        self._lock = threading.Lock()

    def take(self) -> list[Envelope]:
        with self._lock:
            if self._overrun:
                raise errors.ResourceExhausted(
                    f"event subscription: more than {self._limit} events or {self._size} bytes unread: "
                    "resource exhausted"
                )
            taken = list(self._queue)
            self._empty()
            return taken

    def close(self) -> None:
        with self._lock:
            was_open, self._open = self._open, False
            self._empty()
        if was_open:
            self._closed(self)

    def offer(self, envelope: Envelope) -> None:
        """Queue the envelope if it matches; called in the order of events, by one thread at a time. Never blocks."""
        if not self._matches(envelope):
            return
        with self._lock:
            if not self._open or self._overrun:
                return
            first = not self._queue
            self._held += _size(envelope)
            if not first and (len(self._queue) >= self._limit or self._held > self._size):
                self._overrun = True
                self._empty()
            else:
                self._queue.append(envelope)
            awaken = first or self._overrun
        if awaken:
            self._call_wake()

    def _empty(self) -> None:
        self._queue.clear()
        self._held = 0

    def _matches(self, envelope: Envelope) -> bool:
        try:
            return self._match(envelope)
        except Exception:  # noqa: BLE001 - a reader's filter must not keep the event from others
            _log.exception("filter of an event subscription failed on %s", envelope.topic)
            return False

    def _call_wake(self) -> None:
        try:
            self._wake()
        except Exception:  # noqa: BLE001 - a reader whose loop is gone must not keep the event from others
            _log.exception("waking an event subscription failed")


def _size(envelope: Envelope) -> int:
    """Bytes that it holds, about: what clients choose the length of, and the objects around it."""
    return len(envelope.event.value) + len(envelope.topic) + _OBJECTS
