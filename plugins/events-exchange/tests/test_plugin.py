from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from moorage_events_exchange.exchanges import Broadcast
from moorage_events_exchange.plugin import Config, plugin
from moorage_sdk import config
from moorage_sdk.events import EXCHANGE, SINK, Envelope, Payload, Sink


class Keeper(Sink):
    def __init__(self) -> None:
        self.seen: list[Envelope] = []

    def deliver(self, envelope: Envelope) -> None:
        self.seen.append(envelope)


def test_sinks_are_fed_until_the_daemon_stops() -> None:
    closers: list[Callable[[], None]] = []
    keeper = Keeper()
    ctx: Any = SimpleNamespace(all=lambda slot: {SINK: {"keeper": keeper}}[slot], on_close=closers.append)
    exchange = plugin.make(ctx, Config())
    assert isinstance(exchange, Broadcast)
    exchange.publish("default", "/a", Payload("t", b""))
    for close in closers:
        close()
    assert [envelope.topic for envelope in keeper.seen] == ["/a"]


def test_names_are_containerds() -> None:
    assert plugin.slot is EXCHANGE
    assert plugin.uri == "io.containerd.event.v1.exchange"
    assert plugin.requires == (SINK,)


@pytest.mark.parametrize("limit", [0, -1])
@pytest.mark.parametrize("name", ["queue_limit", "queue_size"])
def test_a_limit_below_one_is_refused(name: str, limit: int) -> None:
    decoded = config.decode(Config, {name: limit})
    assert "at least 1" in str(decoded.faults[0])
