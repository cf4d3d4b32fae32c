"""The events service, and the place where shims deliver."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import timestamps, typeurls
from moorage_api.messages import events as payload_types
from moorage_api.messages import events_service as api
from moorage_api.messages import ttrpc_events, types
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_services.drains import Drain
from moorage_services.events import FORWARDING, EventService, Forwarding
from moorage_services.receipts import Receipts
from moorage_testkit.fakes.events import MemoryExchange

EXIT = typeurls.pack(payload_types.TaskExit(container_id="web", exit_status=3))


def envelope(**fields: Any) -> types.Envelope:
    known = {"timestamp": timestamps.to_message(5), "namespace": "ns", "topic": "/tasks/exit", "event": EXIT}
    return types.Envelope(**{**known, **fields})


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


def test_publish_stamps_and_needs_a_namespace(call: Callable[..., Any]) -> None:
    async def run() -> None:
        exchange = MemoryExchange()
        service = EventService(exchange, Drain())
        await service.publish(api.PublishRequest(topic="/a", event=EXIT), call())
        assert (exchange.log[0].namespace, exchange.log[0].topic) == ("ns", "/a")
        assert exchange.log[0].event.type_url == "containerd.events.TaskExit"
        with pytest.raises(errors.FailedPrecondition):
            await service.publish(api.PublishRequest(topic="/a"), call(""))
        with pytest.raises(errors.InvalidArgument):
            await service.publish(api.PublishRequest(topic="a"), call())

    asyncio.run(run())


def test_forward_keeps_the_envelope_and_needs_its_time(call: Callable[..., Any]) -> None:
    async def run() -> None:
        exchange = MemoryExchange()
        service = EventService(exchange, Drain())
        await service.forward(api.ForwardRequest(envelope=envelope(namespace="other")), call(""))
        assert (exchange.log[0].timestamp, exchange.log[0].namespace) == (5, "other")
        without = envelope()
        without.ClearField("timestamp")
        with pytest.raises(errors.InvalidArgument):
            await service.forward(api.ForwardRequest(envelope=without), call(""))

    asyncio.run(run())


def subscribed(service: EventService, made: Any, *filters: str) -> asyncio.Task[None]:
    return asyncio.create_task(service.subscribe(api.SubscribeRequest(filters=filters), made))


def test_subscribers_get_all_namespaces_in_order_and_free_their_place(call: Callable[..., Any]) -> None:
    async def run() -> None:
        exchange = MemoryExchange()
        made = call("")
        listening = subscribed(EventService(exchange, Drain()), made)
        await until(lambda: made.wire.accepted)
        await asyncio.to_thread(exchange.publish, "a", "/one", Payload("t", b"1"))
        exchange.publish("b", "/two", Payload("t", b"2"))
        await until(lambda: len(made.wire.sent) == 2)
        assert [(each.namespace, each.topic, each.event.value) for each in made.wire.sent] == [
            ("a", "/one", b"1"),
            ("b", "/two", b"2"),
        ]
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening
        assert not exchange.subscriptions[0].open

    asyncio.run(run())


@pytest.mark.parametrize(
    ("filters", "seen"),
    [
        ([], ["a", "b"]),
        (["namespace==b"], ["b"]),
        (["topic~=exit"], ["a"]),
        (["event.container_id==web"], ["a"]),
        (["event.container_id==web,namespace==b", 'topic=="/other"'], ["b"]),
    ],
)
def test_filters_see_topic_namespace_and_payload(call: Callable[..., Any], filters: list[str], seen: list[str]) -> None:
    async def run() -> None:
        exchange = MemoryExchange()
        made = call("")
        listening = subscribed(EventService(exchange, Drain()), made, *filters)
        await until(lambda: made.wire.accepted)
        exchange.publish("a", "/tasks/exit", Payload(EXIT.type_url, EXIT.value))
        exchange.publish("b", "/other", Payload("nobody.knows.This", b"\xff"))
        await until(lambda: len(made.wire.sent) == len(seen))
        await asyncio.sleep(0.02)
        assert [each.namespace for each in made.wire.sent] == seen
        listening.cancel()

    asyncio.run(run())


def test_a_malformed_filter_is_refused_before_anything_is_subscribed(call: Callable[..., Any]) -> None:
    exchange = MemoryExchange()
    with pytest.raises(errors.InvalidArgument):
        asyncio.run(EventService(exchange, Drain()).subscribe(api.SubscribeRequest(filters=["topic=="]), call("")))
    assert exchange.subscriptions == []


def test_a_subscriber_that_reads_too_slowly_is_told(call: Callable[..., Any]) -> None:
    async def run() -> None:
        exchange = MemoryExchange(limit=5)
        made = call("")
        reading = asyncio.Event()

        async def slowly(message: Any) -> None:
            await reading.wait()

        made.wire.write = slowly
        listening = subscribed(EventService(exchange, Drain()), made)
        await until(lambda: made.wire.accepted)
        for _ in range(10):
            exchange.publish("a", "/one", Payload("t", b""))
            await asyncio.sleep(0)
        reading.set()
        with pytest.raises(errors.ResourceExhausted):
            await asyncio.wait_for(listening, 10)
        assert not exchange.subscriptions[0].open

    asyncio.run(run())


def test_a_subscription_ends_with_the_daemon(call: Callable[..., Any]) -> None:
    async def run() -> None:
        exchange, drain = MemoryExchange(), Drain()
        made = call("")
        listening = subscribed(EventService(exchange, drain), made)
        await until(lambda: made.wire.accepted)
        drain.stop()
        with pytest.raises(errors.Unavailable, match="stopping"):
            await listening
        assert not exchange.subscriptions[0].open

    asyncio.run(run())


def delivery(number: str = "") -> Any:
    return SimpleNamespace(value=lambda key: number if key == "moorage-event-number" else "")


def test_shims_deliver_by_ttrpc() -> None:
    async def run() -> None:
        exchange = MemoryExchange()
        service = Forwarding(exchange)
        assert (service.transport, service.names) == ("ttrpc", (FORWARDING,))
        (bound,) = service.handlers()
        method = bound[FORWARDING]["Forward"]
        request = method.decode(ttrpc_events.ForwardRequest(envelope=envelope()).SerializeToString())
        assert method.encode(await method.handler(request, delivery())) == b""
        assert exchange.log[0].topic == "/tasks/exit"

    asyncio.run(run())


def test_a_numbered_event_that_comes_again_is_taken_once_by_the_next_daemon_too(tmp_path: Path) -> None:
    async def run() -> None:
        exchange = MemoryExchange()
        for times in ((5, 5, 6, 5), (6, 7), (5, 7)):
            service = Forwarding(exchange, Receipts(tmp_path / "taken"))  # the one before was killed
            for at in times:
                request = ttrpc_events.ForwardRequest(envelope=envelope(timestamp=timestamps.to_message(at)))
                await service.forward(request, delivery("1"))
        assert [each.timestamp for each in exchange.log] == [5, 6, 7]

    asyncio.run(run())


def test_events_without_a_number_are_taken_as_often_as_they_come() -> None:
    async def run() -> None:
        exchange = MemoryExchange()
        service = Forwarding(exchange)
        for _ in range(2):
            await service.forward(ttrpc_events.ForwardRequest(envelope=envelope()), delivery())
        assert len(exchange.log) == 2

    asyncio.run(run())


def test_an_event_that_is_refused_may_be_sent_again() -> None:
    async def run() -> None:
        service = Forwarding(MemoryExchange())
        request = ttrpc_events.ForwardRequest(envelope=envelope(namespace="", event=Packed()))
        for _ in range(2):
            with pytest.raises(errors.FailedPrecondition):
                await service.forward(request, delivery("1"))

    asyncio.run(run())
