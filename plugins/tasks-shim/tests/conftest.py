"""A registry over a shim without containers, for the tests of what stands on it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from moorage_tasks_shim.binaries import Binary, Timeouts
from moorage_tasks_shim.bootstraps import Daemon
from moorage_tasks_shim.bundles import Bundles
from moorage_tasks_shim.carriers import Carriers
from moorage_tasks_shim.creations import Adjust, Creator
from moorage_tasks_shim.managers import ShimTaskManager
from moorage_tasks_shim.recoveries import Recovery
from moorage_tasks_shim.registries import Registry
from moorage_testkit.fakes.events import MemoryExchange
from moorage_testkit.fakes.shims import Shim, ShimRuntime

TIMEOUTS = Timeouts(load=1.0, cleanup=1.0, shutdown=0.5, state=0.5)


@dataclass
class House:
    """Everything around one task manager; ``again`` makes the next daemon's on the same directories."""

    registry: Registry
    recovery: Recovery
    creator: Creator
    manager: ShimTaskManager
    exchange: MemoryExchange
    bundles: Bundles
    shim: Shim
    runtime: ShimRuntime
    again: Callable[[], "House"]

    @property
    def topics(self) -> list[str]:
        return [envelope.topic for envelope in self.exchange.log]


@pytest.fixture
def house(tmp_path: Path) -> Callable[..., House]:
    for name in ("state", "root"):
        (tmp_path / name).mkdir()
    bundles = Bundles(tmp_path / "state", tmp_path / "root")

    def make(shim: Shim | None = None, runtime: ShimRuntime | None = None, adjust: Adjust | None = None) -> House:
        shim = shim or Shim(tmp_path / "shim.sock")
        runtime = runtime or ShimRuntime(shim)
        exchange = MemoryExchange()
        carriers = Carriers({"runc": runtime}, lambda path: Binary(path, Daemon("", "", "", ""), (), TIMEOUTS))
        registry = Registry(bundles, carriers, TIMEOUTS)
        recovery = Recovery(registry, exchange)
        creator = Creator(registry, adjust)
        manager = ShimTaskManager(registry, creator, recovery, TIMEOUTS.state)
        return House(
            registry, recovery, creator, manager, exchange, bundles, shim, runtime, lambda: make(shim, runtime, adjust)
        )

    return make
