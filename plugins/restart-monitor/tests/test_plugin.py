import asyncio
from pathlib import Path

import pytest

from moorage_restart_monitor.plugin import Config, plugin
from moorage_sdk import config
from moorage_sdk.container_monitors import CONTAINER_MONITOR
from moorage_sdk.durations import Duration
from moorage_testkit.fakes.contexts import Context
from moorage_testkit.fakes.events import MemoryExchange
from moorage_testkit.fakes.metadata import MemoryMetadata
from moorage_testkit.fakes.tasks import MemoryTasks


def test_names_keys_and_capabilities_are_containerds() -> None:
    assert plugin.slot is CONTAINER_MONITOR
    assert plugin.uri == "io.containerd.monitor.container.v1.restart"
    assert config.defaults(Config) == {"interval": "10s"}
    assert config.decode(Config, {"interval": "5s"}).value == Config(Duration(5))


@pytest.mark.parametrize(("told", "interval"), [(0.25, 0.25), (0, 10.0), (-1, 10.0)])
def test_it_lives_with_the_daemon(tmp_path: Path, told: float, interval: float) -> None:
    async def run() -> None:
        exchange = MemoryExchange()
        plugins = {"metadata": {"m": MemoryMetadata()}, "tasks": {"t": MemoryTasks()}, "events": {"e": exchange}}
        ctx = Context(tmp_path, plugins=plugins)
        monitor = plugin.make(ctx, Config(Duration(told)))
        assert monitor._interval == interval  # type: ignore[attr-defined]
        assert ctx.capabilities == ["no", "always", "on-failure", "unless-stopped"]
        await monitor.reconcile()
        ctx.close()
        assert not any(each.open for each in exchange.subscriptions)

    asyncio.run(run())
