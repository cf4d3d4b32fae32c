"""A registry over a shim without containers, for the tests of what stands on it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from moorage_sdk.activations import MountManager
from moorage_tasks_shim.activations import Activations
from moorage_tasks_shim.binaries import Binary, Timeouts
from moorage_tasks_shim.bootstraps import Daemon
from moorage_tasks_shim.bundles import Bundles
from moorage_tasks_shim.carriers import Carriers
from moorage_tasks_shim.controllers import ShimSandboxController
from moorage_tasks_shim.creations import Adjust, Creator
from moorage_tasks_shim.managers import ShimTaskManager
from moorage_tasks_shim.recoveries import Recovery
from moorage_tasks_shim.registries import Registry
from moorage_tasks_shim.sandbox_creations import SandboxCreator
from moorage_tasks_shim.sandboxes import Sandbox
from moorage_tasks_shim.tasks import Task
from moorage_testkit.fakes import shims
from moorage_testkit.fakes.events import MemoryExchange
from moorage_testkit.fakes.shims import Shim, ShimRuntime

TIMEOUTS = Timeouts(load=1.0, cleanup=1.0, shutdown=0.5, state=0.5)
PATIENT = Timeouts(load=30.0, cleanup=30.0)
"""For shims that are programs, which start slowly where much else runs."""


@dataclass
class House:
    """Everything around one task manager; ``again`` makes the next daemon's on the same directories."""

    registry: Registry[Task]
    recovery: Recovery[Task]
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

    def make(
        shim: Shim | None = None,
        runtime: ShimRuntime | None = None,
        adjust: Adjust | None = None,
        manager: MountManager | None = None,
    ) -> House:
        shim = shim or Shim(tmp_path / "shim.sock")
        runtime = runtime or ShimRuntime(shim)
        exchange = MemoryExchange()
        carriers = Carriers({"runc": runtime}, lambda path: Binary(path, Daemon("", "", "", ""), (), PATIENT))
        registry = Registry(Task, bundles, carriers, TIMEOUTS)
        recovery = Recovery(registry, exchange)
        activations = Activations(manager)
        registry.on_ended(activations.deactivate)
        creator = Creator(registry, adjust, activations)
        tasks = ShimTaskManager(registry, creator, recovery, TIMEOUTS.state)
        return House(
            registry,
            recovery,
            creator,
            tasks,
            exchange,
            bundles,
            shim,
            runtime,
            lambda: make(shim, runtime, adjust, manager),
        )

    return make


@dataclass
class Pods(House):
    """A task manager and a controller of sandboxes over the same shim."""

    pods: Registry[Sandbox]
    sandbox_creator: SandboxCreator
    controller: ShimSandboxController

    def close(self) -> None:
        self.pods.close()
        self.registry.close()


@pytest.fixture
def pods(house: Callable[..., House], tmp_path: Path) -> Callable[..., Pods]:
    known: dict[tuple[str, str], shims.Sandbox] = {}
    for name in ("pods-state", "pods-root"):
        (tmp_path / name).mkdir()

    def make(sandboxes: dict[tuple[str, str], shims.Sandbox] | None = known, shared: bool = True) -> Pods:
        shim = Shim(tmp_path / "shim.sock", sandboxes=sandboxes)
        return over(house(shim, ShimRuntime(shim, shared=shared)))

    def over(base: House) -> Pods:
        bundles = Bundles(tmp_path / "pods-state", tmp_path / "pods-root")
        registry = Registry(Sandbox, bundles, base.registry.carriers, TIMEOUTS, base.registry.links)
        registry.meet(base.registry)
        base.registry.meet(registry)
        recovery = Recovery(registry, base.exchange)
        base.recovery.follow(recovery)
        sandbox_creator = SandboxCreator(registry, base.exchange)
        controller = ShimSandboxController(registry, sandbox_creator, recovery)
        shared = {name: getattr(base, name) for name in base.__dataclass_fields__ if name != "again"}
        return Pods(
            **shared,
            again=lambda: over(base.again()),
            pods=registry,
            sandbox_creator=sandbox_creator,
            controller=controller,
        )

    return make
