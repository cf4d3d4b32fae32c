"""Registration: the plugin ``io.containerd.monitor.container.v1.restart``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from moorage_restart_monitor import policies
from moorage_restart_monitor.monitors import RestartMonitor
from moorage_sdk.container_monitors import CONTAINER_MONITOR, ContainerMonitor
from moorage_sdk.durations import Duration
from moorage_sdk.events import EXCHANGE
from moorage_sdk.metadata import METADATA
from moorage_sdk.slots import InitContext, Plugin
from moorage_sdk.tasks import TASKS

INTERVAL = Duration(10)
THREADS = 4


@dataclass(frozen=True)
class Config:
    interval: Duration = INTERVAL
    """How often all labelled containers are looked at, and the longest pause before a restart; 0 is the default."""


def make(ctx: InitContext, config: Config) -> ContainerMonitor:
    """Start the monitor."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="moorage-restart")
    ctx.on_close(lambda: pool.shutdown(wait=False, cancel_futures=True))
    for name in policies.NAMES:
        ctx.capability(name)
    interval = float(config.interval) if config.interval > 0 else float(INTERVAL)
    monitor = RestartMonitor(ctx.one(METADATA), ctx.one(TASKS), ctx.one(EXCHANGE), interval, pool)
    ctx.on_close(monitor.close)
    monitor.start()
    return monitor


plugin = Plugin(CONTAINER_MONITOR, "restart", make, Config, requires=(METADATA, TASKS, EXCHANGE))
