"""``containerd.services.events.v1``, and ``Events/Forward`` for shims on ttrpc."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.empty_pb2 import Empty

from moorage_api import fieldpaths, filters, methods
from moorage_api.convert import payloads, timestamps
from moorage_api.messages import events_service, ttrpc_events, types
from moorage_sdk.events import Envelope, Exchange
from moorage_sdk.services import Service
from moorage_services.calls import Call, Handler
from moorage_services.drains import Drain
from moorage_services.receipts import Receipts
from moorage_ttrpc import methods as ttrpc

FORWARDING = "containerd.services.events.ttrpc.v1.Events"

NUMBER = "moorage-event-number"
"""Metadata of an event that its sender keeps, and sends again, until it has been answered."""


class EventService:
    """Events go to an exchange and come from it; nothing here waits on a thread."""

    name = "containerd.services.events.v1.Events"

    def __init__(self, exchange: Exchange, drain: Drain) -> None:
        self._exchange = exchange
        self._drain = drain

    def handlers(self) -> Mapping[str, Handler]:
        return {"Publish": self.publish, "Forward": self.forward, "Subscribe": self.subscribe}

    async def publish(self, request: events_service.PublishRequest, call: Call) -> Empty:
        self._exchange.publish(call.namespace, request.topic, payloads.from_message(request.event))
        return Empty()

    async def forward(self, request: events_service.ForwardRequest, call: Call) -> Empty:
        self._exchange.forward(from_message(request.envelope))
        return Empty()

    async def subscribe(self, request: events_service.SubscribeRequest, call: Call) -> None:
        """All namespaces, from now on, for as long as the caller listens. Raises errors.ResourceExhausted for a caller
        that reads too slowly."""
        match = _matcher(request.filters)
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        subscription = self._exchange.subscribe(lambda: _wake(loop, arrived), match)
        try:
            await call.accept()
            while True:
                # Cleared before taking: what arrives in between wakes the next round, at worst for nothing.
                arrived.clear()
                for envelope in subscription.take():
                    await call.send(to_message(envelope))
                await self._drain.wait(_set(arrived))
        finally:
            subscription.close()


class Forwarding(Service):
    """Where shims send the events of their tasks (``<grpc address>.ttrpc``).

    A sender that numbers its events sends one again when its connection broke before the answer. Such an event is the
    same to the byte, down to the nanoseconds of its time, and is taken once, whatever became of us in between.
    """

    def __init__(self, exchange: Exchange, receipts: Receipts | None = None) -> None:
        self._exchange = exchange
        self._receipts = Receipts() if receipts is None else receipts

    @property
    def transport(self) -> str:
        return "ttrpc"

    @property
    def names(self) -> tuple[str, ...]:
        return (FORWARDING,)

    def handlers(self) -> Sequence[Any]:
        """One mapping from service name to bound methods, as moorage_ttrpc.servers takes them."""
        return ({FORWARDING: ttrpc.bind(methods.service(FORWARDING).methods, {"Forward": self.forward})},)

    async def forward(self, request: ttrpc_events.ForwardRequest, call: ttrpc.Call) -> Empty:
        if not call.value(NUMBER):
            self._exchange.forward(from_message(request.envelope))
            return Empty()
        event = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
        if event not in self._receipts:
            self._exchange.forward(from_message(request.envelope))
            self._receipts.add(event)
        return Empty()


def _matcher(wanted: Sequence[str]) -> Callable[[Envelope], bool]:
    """Filters see topic, namespace and the fields of the payload. Raises errors.InvalidArgument."""
    chosen = filters.parse(wanted)
    if not wanted:
        return lambda envelope: True
    return lambda envelope: chosen.match(fieldpaths.envelope(to_message(envelope)))


async def _set(arrived: asyncio.Event) -> None:
    await arrived.wait()


def _wake(loop: asyncio.AbstractEventLoop, arrived: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(arrived.set)


def from_message(message: types.Envelope) -> Envelope:
    at = timestamps.from_message(message.timestamp) if message.HasField("timestamp") else 0
    return Envelope(at, message.namespace, message.topic, payloads.from_message(message.event))


def to_message(envelope: Envelope) -> types.Envelope:
    return types.Envelope(
        timestamp=timestamps.to_message(envelope.timestamp),
        namespace=envelope.namespace,
        topic=envelope.topic,
        event=payloads.to_message(envelope.event),
    )
