"""Registration: the plugin ``io.containerd.gc.v1.scheduler``."""

from __future__ import annotations

from dataclasses import dataclass

from moorage_gc_scheduler.policies import Limits
from moorage_gc_scheduler.schedulers import Scheduler
from moorage_sdk.collectors import COLLECTOR, Collector
from moorage_sdk.durations import Duration
from moorage_sdk.metadata import METADATA
from moorage_sdk.slots import InitContext, Plugin

AT_ONCE = Duration(0)
STARTUP_DELAY = Duration(0.1)


@dataclass(frozen=True)
class Config:
    """Keys, defaults and meanings of ``plugins/gc/scheduler.go``."""

    pause_threshold: float = 0.02
    """The share of time that scheduled collections may take, by the average of those before; at most 0.5."""
    deletion_threshold: int = 0
    """Deletions after which a collection is due at once; 0 lets each deletion wait for the share of time only."""
    mutation_threshold: int = 100
    """Changes of any kind after which the next moment is used for a collection; 0 for never."""
    schedule_delay: Duration = AT_ONCE
    """How long a collection that is due at once is put off."""
    startup_delay: Duration = STARTUP_DELAY
    """When the first collection runs; 0 for none until something asks for it."""


def make(ctx: InitContext, config: Config) -> Collector:
    """Start the scheduler over the metadata slot."""
    limits = Limits(
        config.pause_threshold,
        config.deletion_threshold,
        config.mutation_threshold,
        float(config.schedule_delay),
        float(config.startup_delay),
    )
    scheduler = Scheduler(ctx.one(METADATA), limits)
    ctx.on_close(scheduler.stop)
    # The names of containerd's exports.
    ctx.export("PauseThreshold", f"{min(max(config.pause_threshold, 0.0), 0.5):g}")
    ctx.export("DeletionThreshold", str(config.deletion_threshold))
    ctx.export("MutationThreshold", str(max(config.mutation_threshold, 0)))
    ctx.export("ScheduleDelay", str(config.schedule_delay))
    return scheduler


plugin = Plugin(COLLECTOR, "scheduler", make, Config, requires=(METADATA,))
