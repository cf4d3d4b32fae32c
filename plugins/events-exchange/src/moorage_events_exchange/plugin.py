"""Registration: the plugin ``io.containerd.event.v1.exchange``."""

from __future__ import annotations

from dataclasses import dataclass

from moorage_events_exchange.exchanges import QUEUE_LIMIT, QUEUE_SIZE, Broadcast
from moorage_events_exchange.feeders import Feeder
from moorage_sdk.events import EXCHANGE, SINK, Exchange
from moorage_sdk.slots import InitContext, Plugin


@dataclass(frozen=True)
class Config:
    queue_limit: int = QUEUE_LIMIT
    """Events that a subscriber or sink may leave unread before it is cut off."""
    queue_size: int = QUEUE_SIZE
    """And bytes of them; a single event may be larger."""

    def __post_init__(self) -> None:
        for name in ("queue_limit", "queue_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be at least 1")


def make(ctx: InitContext, config: Config) -> Exchange:
    """Make the exchange and a feeder for each sink."""
    exchange = Broadcast(config.queue_limit, config.queue_size)
    for name, sink in sorted(ctx.all(SINK).items()):
        ctx.on_close(Feeder(exchange, name, sink).stop)
    return exchange


plugin = Plugin(EXCHANGE, "exchange", make, Config, requires=(SINK,))
