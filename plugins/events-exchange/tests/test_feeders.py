import threading
import time

import pytest

from moorage_events_exchange.exchanges import Broadcast
from moorage_events_exchange.feeders import Feeder
from moorage_sdk.events import Envelope, Payload, Sink

EVENT = Payload("t", b"")


class Keeper(Sink):
    def __init__(self) -> None:
        self.topics: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def deliver(self, envelope: Envelope) -> None:
        self.gate.wait(20)
        if envelope.topic == "/bad":
            raise OSError("other system is down")
        self.topics.append(envelope.topic)


def test_events_arrive_in_order_and_stop_delivers_the_rest() -> None:
    exchange, keeper = Broadcast(), Keeper()
    feeder = Feeder(exchange, "keeper", keeper)
    for number in range(500):
        exchange.publish("default", f"/n/{number}", EVENT)
    feeder.stop()
    assert keeper.topics == [f"/n/{number}" for number in range(500)]
    exchange.publish("default", "/late", EVENT)
    assert len(keeper.topics) == 500


def test_a_stuck_sink_blocks_neither_publishers_nor_other_sinks(caplog: pytest.LogCaptureFixture) -> None:
    exchange, stuck, free = Broadcast(queue_limit=1000), Keeper(), Keeper()
    stuck.gate.clear()
    feeders = [Feeder(exchange, "stuck", stuck), Feeder(exchange, "free", free)]
    for number in range(100):
        exchange.publish("default", f"/n/{number}", EVENT)
    feeders[1].stop()
    assert len(free.topics) == 100
    assert stuck.topics == []
    feeders[0].stop(timeout=0.05)
    assert "sink stuck still busy" in caplog.text
    stuck.gate.set()


def test_what_a_sink_refuses_is_lost_for_it_alone(caplog: pytest.LogCaptureFixture) -> None:
    exchange, keeper = Broadcast(), Keeper()
    feeder = Feeder(exchange, "keeper", keeper)
    for topic in ("/a", "/bad", "/b"):
        exchange.publish("default", topic, EVENT)
    feeder.stop()
    assert keeper.topics == ["/a", "/b"]
    assert "sink keeper did not take /bad" in caplog.text


def test_a_sink_that_fell_behind_goes_on_with_what_is_new(caplog: pytest.LogCaptureFixture) -> None:
    exchange, keeper = Broadcast(queue_limit=5), Keeper()
    keeper.gate.clear()
    feeder = Feeder(exchange, "keeper", keeper)
    exchange.publish("default", "/first", EVENT)
    deadline = time.monotonic() + 10
    while feeder._awake.is_set() and time.monotonic() < deadline:
        time.sleep(0.001)
    for number in range(50):
        exchange.publish("default", f"/lost/{number}", EVENT)
    keeper.gate.set()
    while "fell behind" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.001)
    while "/new" not in keeper.topics and time.monotonic() < deadline:
        exchange.publish("default", "/new", EVENT)
        time.sleep(0.001)
    feeder.stop()
    assert "sink keeper fell behind" in caplog.text
    assert keeper.topics[0] == "/first"
    assert "/new" in keeper.topics
