"""The exchange itself: one lock, one order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from moorage_events_exchange import topics
from moorage_events_exchange.arrears import Arrears
from moorage_events_exchange.subscriptions import BoundedSubscription
from moorage_sdk import namespaces
from moorage_sdk.events import Envelope, Exchange, Payload, Subscription

QUEUE_LIMIT = 32768
QUEUE_SIZE = 32 << 20
"""Bytes; events of tasks are a few hundred each, those that clients publish may have 16 MiB."""


def everything(envelope: Envelope) -> bool:
    """The filter that lets all events through."""
    return True


class Broadcast(Exchange):
    """Gives every event to every subscription, in the same order, with times that never go back."""

    def __init__(self, queue_limit: int = QUEUE_LIMIT, queue_size: int = QUEUE_SIZE) -> None:
        self._limit = queue_limit
        self._size = queue_size
        self._subscriptions: tuple[BoundedSubscription, ...] = ()
        self._last_time = 0
        self._arrears = Arrears()
        # Reentrant, for a subscriber may close its subscription, or publish, when it is woken.
        self._lock = threading.RLock()

    def publish(self, namespace: str, topic: str, event: Payload) -> None:
        namespaces.required(namespace)
        topics.validate(topic)
        with self._lock:
            self._last_time = max(time.time_ns(), self._last_time + 1)
            self._send(Envelope(self._last_time, namespace, topic, event))

    def forward(self, envelope: Envelope) -> None:
        topics.validate_envelope(envelope)
        with self._lock:
            self._arrears.keep(envelope)
            self._send(envelope)

    def subscribe(self, wake: Callable[[], None], match: Callable[[Envelope], bool] = everything) -> Subscription:
        subscription = BoundedSubscription(wake, match, self._limit, self._size, self._forget)
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
            for envelope in self._arrears.owed():
                subscription.offer(envelope)
        return subscription

    def _send(self, envelope: Envelope) -> None:
        for subscription in self._subscriptions:
            subscription.offer(envelope)

    def _forget(self, gone: BoundedSubscription) -> None:
        with self._lock:
            self._subscriptions = tuple(each for each in self._subscriptions if each is not gone)
