import asyncio
import logging
from typing import Any

import pytest

from moorage_api.messages import events
from moorage_restart_monitor.exits import TOPIC, Exits, inits
from moorage_sdk.events import Envelope, Payload
from moorage_testkit.fakes.events import MemoryExchange


def exited(container: str, id: str = "") -> Payload:
    event = events.TaskExit(container_id=container, id=id or container, exit_status=1)
    return Payload(event.DESCRIPTOR.full_name, event.SerializeToString())


def test_inits_only_and_no_nonsense() -> None:
    heard = [
        Envelope(1, "ns", TOPIC, exited("a")),
        Envelope(2, "ns", TOPIC, exited("a", "exec")),
        Envelope(3, "ns", TOPIC, Payload("containerd.events.TaskExit", b"\xff\xff")),
        Envelope(4, "other", TOPIC, exited("b")),
    ]
    assert list(inits(heard)) == [("ns", "a"), ("other", "b")]


def test_told_on_the_loop_until_closed() -> None:
    async def run() -> None:
        exchange, told = MemoryExchange(), []
        exits = Exits(exchange, lambda *key: told.append(key))
        exchange.publish("ns", "/tasks/start", exited("x"))
        await asyncio.to_thread(exchange.publish, "ns", TOPIC, exited("a"))
        await asyncio.sleep(0)
        assert told == [("ns", "a")]
        exits.close()
        exchange.publish("ns", TOPIC, exited("b"))
        await asyncio.sleep(0)
        assert told == [("ns", "a")]

    asyncio.run(run())


def test_falling_behind_is_said_and_got_over(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        exchange = MemoryExchange(limit=2)
        told: list[Any] = []
        exits = Exits(exchange, lambda *key: told.append(key))
        with caplog.at_level(logging.WARNING):
            for _ in range(4):
                exchange.publish("ns", TOPIC, exited("a"))
            await asyncio.sleep(0)
        assert told == []
        assert "more exits than could be looked at" in caplog.text
        exchange.publish("ns", TOPIC, exited("b"))
        await asyncio.sleep(0)
        assert told == [("ns", "b")]
        exits.close()

    asyncio.run(run())
