"""An exchange in memory: validates little, keeps everything, and drops whoever falls behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from moorage_sdk import errors
from moorage_sdk.events import Envelope, Exchange, Payload, Subscription
from moorage_sdk.namespaces import required


class MemorySubscription(Subscription):
    def __init__(self, wake: Callable[[], None], match: Callable[[Envelope], bool], limit: int) -> None:
        self.open = True
        self._wake, self._match, self._limit = wake, match, limit
        self._queue: list[Envelope] = []
        self._lost = False
        self._guard = Lock()

    def put(self, envelope: Envelope) -> None:
        if not self.open or not self._match(envelope):
            return
        with self._guard:
            self._lost = self._lost or len(self._queue) >= self._limit
            self._queue.append(envelope)
        self._wake()

    def take(self) -> list[Envelope]:
        with self._guard:
            if self._lost:
                raise errors.ResourceExhausted("subscription: fell behind: resource exhausted")
            taken, self._queue = self._queue, []
        return taken

    def close(self) -> None:
        self.open = False


class MemoryExchange(Exchange):
    """``log`` holds every event; ``subscriptions`` all that were ever made. ``limit``: events one may leave unread."""

    def __init__(self, limit: int = 1000) -> None:
        self.log: list[Envelope] = []
        self.subscriptions: list[MemorySubscription] = []
        self._limit = limit

    def publish(self, namespace: str, topic: str, event: Payload) -> None:
        self.forward(Envelope(time.time_ns(), namespace, topic, event))

    def forward(self, envelope: Envelope) -> None:
        required(envelope.namespace)
        if not envelope.topic.startswith("/"):
            raise errors.InvalidArgument(f'topic "{envelope.topic}" must start with "/": invalid argument')
        if not envelope.timestamp:
            raise errors.InvalidArgument("timestamp must be set on forwarded event: invalid argument")
        self.log.append(envelope)
        for subscription in self.subscriptions:
            subscription.put(envelope)

    def subscribe(
        self, wake: Callable[[], None], match: Callable[[Envelope], bool] = lambda envelope: True
    ) -> Subscription:
        made = MemorySubscription(wake, match, self._limit)
        self.subscriptions.append(made)
        return made
