"""The slot ``events``: one exchange that every event of the daemon goes through.

Events go one way: publisher, exchange, subscribers and sinks. Topics and payloads are containerd's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from moorage_sdk.slots import Slot


@dataclass(frozen=True)
class Payload:
    """A typed value as ``google.protobuf.Any`` carries it. ``type_url`` is the bare message name (no prefix)."""

    type_url: str
    value: bytes


@dataclass(frozen=True)
class Envelope:
    """An event with its circumstances. ``timestamp`` in nanoseconds since the epoch."""

    timestamp: int
    namespace: str
    topic: str
    event: Payload


class Subscription(ABC):
    """A reader's end. It holds no thread: waiting is a callback away."""

    @abstractmethod
    def take(self) -> list[Envelope]:
        """All that arrived since the last call, oldest first. Raises errors.ResourceExhausted once it fell behind."""

    @abstractmethod
    def close(self) -> None:
        """No more events. Calling it again does nothing."""


class Exchange(ABC):
    """Publishing never blocks on a reader; a reader whose queue is full loses its subscription, nobody else's."""

    @abstractmethod
    def publish(self, namespace: str, topic: str, event: Payload) -> None:
        """Send an event stamped with the present time.

        Raises errors.FailedPrecondition without a namespace, errors.InvalidArgument for a bad namespace or topic (it
        begins with ``/`` and has identifiers between slashes).
        """

    @abstractmethod
    def forward(self, envelope: Envelope) -> None:
        """Send an event that has its envelope already. Raises as ``publish``, and for a missing timestamp."""

    @abstractmethod
    def subscribe(
        self, wake: Callable[[], None], match: Callable[[Envelope], bool] = lambda envelope: True
    ) -> Subscription:
        """Receive the events of all namespaces that ``match``, from now on.

        An exchange may also give those first that are older than the daemon and that a shim sent after its start.
        ``wake`` is called, from any thread, when ``take`` has something to give after it had nothing. It never blocks.
        """


class Sink(ABC):
    """The slot ``sink``: takes events to another system. Fed in order by a thread of the exchange."""

    @abstractmethod
    def deliver(self, envelope: Envelope) -> None:
        """May block; raising is logged and the event is lost for this sink only."""


EXCHANGE: Slot[Exchange] = Slot("events", "io.containerd.event.v1")
SINK: Slot[Sink] = Slot("sink", "io.containerd.sink.v1")
