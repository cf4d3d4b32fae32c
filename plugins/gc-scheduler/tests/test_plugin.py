from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from moorage_gc_scheduler.plugin import Config, plugin
from moorage_sdk import config
from moorage_sdk.collectors import COLLECTOR
from moorage_sdk.durations import Duration
from moorage_sdk.garbage import Object
from moorage_sdk.metadata import METADATA, Collection

X = Object("content", "default", "x")


def test_the_scheduler_starts_and_stops_with_the_daemon() -> None:
    closers: list[Callable[[], None]] = []
    exports: dict[str, str] = {}
    store = SimpleNamespace(watch=lambda changed: None, collect=lambda: Collection(removed=(X,)))
    ctx: Any = SimpleNamespace(one={METADATA: store}.__getitem__, on_close=closers.append, export=exports.__setitem__)
    scheduler = plugin.make(ctx, Config(pause_threshold=3.0))
    assert scheduler.collect().result(20).removed == (X,)
    for close in closers:
        close()
    assert exports == {
        "PauseThreshold": "0.5",
        "DeletionThreshold": "0",
        "MutationThreshold": "100",
        "ScheduleDelay": "0s",
    }


def test_names_and_keys_are_containerds() -> None:
    assert plugin.slot is COLLECTOR
    assert plugin.uri == "io.containerd.gc.v1.scheduler"
    assert config.defaults(Config) == {
        "pause_threshold": 0.02,
        "deletion_threshold": 0,
        "mutation_threshold": 100,
        "schedule_delay": "0s",
        "startup_delay": "100ms",
    }
    decoded = config.decode(Config, {"schedule_delay": "1m30s"})
    assert decoded.value == Config(schedule_delay=Duration(90))
