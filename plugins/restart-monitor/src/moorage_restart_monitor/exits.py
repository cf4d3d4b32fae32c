"""Which containers have ended, told as it happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from google.protobuf.message import DecodeError

from moorage_api.messages import events
from moorage_sdk import errors
from moorage_sdk.events import Envelope, Exchange, Subscription

TOPIC = "/tasks/exit"
"""Of core/runtime/events.go in containerd v2.3."""

log = logging.getLogger(__name__)


class Exits:
    """Calls ``told`` on the loop with namespace and id of each container whose init has ended, until it is closed."""

    def __init__(self, exchange: Exchange, told: Callable[[str, str], None]) -> None:
        self._exchange = exchange
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._subscription = self._subscribed()

    def close(self) -> None:
        self._subscription.close()

    def _subscribed(self) -> Subscription:
        return self._exchange.subscribe(self._wake, lambda envelope: envelope.topic == TOPIC)

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        try:
            ended = self._subscription.take()
        except errors.ResourceExhausted:
            log.warning("more exits than could be looked at: some containers are found at the next look")
            self._subscription.close()
            self._subscription = self._subscribed()
            return
        for namespace, id in inits(ended):
            self._told(namespace, id)


def inits(envelopes: Iterable[Envelope]) -> Iterable[tuple[str, str]]:
    """Namespaces and ids of containers whose init has ended; not of those of whom only an exec has."""
    for envelope in envelopes:
        try:
            exited = events.TaskExit.FromString(envelope.event.value)
        except DecodeError:  # anybody may publish under the topic
            continue
        if exited.id == exited.container_id:
            yield envelope.namespace, exited.container_id
