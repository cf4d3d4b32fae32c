import asyncio
import threading
import time

import pytest

from moorage_events_exchange.exchanges import Broadcast
from moorage_sdk import errors
from moorage_sdk.events import Envelope, Payload, Subscription

EVENT = Payload("containerd.events.TaskStart", b"x")


def nothing() -> None:
    return


def test_everybody_gets_every_event_from_now_on() -> None:
    exchange = Broadcast()
    exchange.publish("default", "/before", EVENT)
    one, other = exchange.subscribe(nothing), exchange.subscribe(nothing, lambda envelope: envelope.topic == "/b")
    exchange.publish("default", "/a", EVENT)
    exchange.publish("k8s.io", "/b", EVENT)
    exchange.forward(Envelope(7, "other", "/c", EVENT))
    assert [(each.namespace, each.topic) for each in one.take()] == [
        ("default", "/a"),
        ("k8s.io", "/b"),
        ("other", "/c"),
    ]
    assert [each.topic for each in other.take()] == ["/b"]
    one.close()
    exchange.publish("default", "/d", EVENT)
    assert one.take() == []


def test_who_comes_back_after_the_daemon_is_told_how_tasks_ended_meanwhile() -> None:
    """Docker's engine believed for ever that a container ran which had ended while there was no daemon."""
    before = time.time_ns()
    exchange = Broadcast()
    exchange.forward(Envelope(before, "moby", "/tasks/exit", EVENT))
    exchange.forward(Envelope(before, "other", "/tasks/exit", EVENT))
    exchange.publish("moby", "/tasks/start", EVENT)
    woken: list[bool] = []
    back = exchange.subscribe(lambda: woken.append(True), lambda envelope: envelope.namespace == "moby")
    assert woken
    assert [each.timestamp for each in back.take()] == [before]
    exchange.publish("moby", "/tasks/delete", EVENT)
    assert [each.topic for each in back.take()] == ["/tasks/delete"]


def test_publishing_needs_a_namespace_and_a_topic() -> None:
    exchange = Broadcast()
    with pytest.raises(errors.FailedPrecondition, match="namespace is required"):
        exchange.publish("", "/a", EVENT)
    with pytest.raises(errors.InvalidArgument):
        exchange.publish("no spaces", "/a", EVENT)
    with pytest.raises(errors.InvalidArgument, match="must start with"):
        exchange.publish("default", "a", EVENT)
    with pytest.raises(errors.InvalidArgument, match="timestamp"):
        exchange.forward(Envelope(0, "default", "/a", EVENT))


def test_times_never_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([1000, 10, 10, 2000])
    exchange = Broadcast()
    monkeypatch.setattr("time.time_ns", lambda: next(moments))
    subscription = exchange.subscribe(nothing)
    for _ in range(4):
        exchange.publish("default", "/a", EVENT)
    assert [each.timestamp for each in subscription.take()] == [1000, 1001, 1002, 2000]


def test_all_subscribers_see_one_order_whatever_the_threads_do() -> None:
    exchange = Broadcast()
    readers = [exchange.subscribe(nothing) for _ in range(3)]

    def publish(name: str) -> None:
        for number in range(200):
            exchange.publish("default", f"/{name}/{number}", EVENT)

    threads = [threading.Thread(target=publish, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    orders = [[each.topic for each in reader.take()] for reader in readers]
    assert len(orders[0]) == 800
    assert orders[0] == orders[1] == orders[2]
    assert [topic for topic in orders[0] if topic.startswith("/a/")] == [f"/a/{n}" for n in range(200)]


def test_one_slow_reader_loses_its_subscription_and_nobody_elses() -> None:
    exchange = Broadcast(queue_limit=10)
    slow, quick = exchange.subscribe(nothing), exchange.subscribe(nothing)
    seen = 0
    for _ in range(30):
        exchange.publish("default", "/a", EVENT)
        seen += len(quick.take())
    assert seen == 30
    with pytest.raises(errors.ResourceExhausted):
        slow.take()


def test_a_subscriber_may_close_and_publish_when_woken() -> None:
    exchange = Broadcast()
    last = exchange.subscribe(nothing)
    held: list[Subscription] = []

    def react() -> None:
        if held:
            held.pop().close()
            exchange.publish("default", "/reaction", EVENT)

    held.append(exchange.subscribe(react))
    exchange.publish("default", "/cause", EVENT)
    assert sorted(each.topic for each in last.take()) == ["/cause", "/reaction"]


def test_waiting_is_a_callback_to_a_loop() -> None:
    async def main() -> list[str]:
        exchange, loop, woken = Broadcast(), asyncio.get_running_loop(), asyncio.Event()
        subscription = exchange.subscribe(lambda: loop.call_soon_threadsafe(woken.set))
        thread = threading.Thread(target=exchange.publish, args=("default", "/a", EVENT))
        thread.start()
        await asyncio.wait_for(woken.wait(), 10)
        thread.join()
        return [each.topic for each in subscription.take()]

    assert asyncio.run(main()) == ["/a"]
