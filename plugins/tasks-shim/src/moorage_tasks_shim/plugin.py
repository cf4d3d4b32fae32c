"""Registers the task manager under containerd's name for it, and the controller of sandboxes that shims run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moorage_sdk import addresses
from moorage_sdk.activations import MOUNT_MANAGER
from moorage_sdk.durations import Duration
from moorage_sdk.events import EXCHANGE
from moorage_sdk.hooks import Chains
from moorage_sdk.presets import RUNTIME_PRESET
from moorage_sdk.runtimes import RUNTIME
from moorage_sdk.sandboxes import SANDBOX_CONTROLLER, SandboxController
from moorage_sdk.slots import InitContext, NoConfig, Plugin, Skip
from moorage_sdk.tables import Table
from moorage_sdk.tasks import TASKS, TaskManager
from moorage_tasks_shim.activations import Activations
from moorage_tasks_shim.binaries import Binary, Timeouts, Versions
from moorage_tasks_shim.bootstraps import Daemon
from moorage_tasks_shim.bundles import Bundles
from moorage_tasks_shim.carriers import Carriers
from moorage_tasks_shim.controllers import ShimSandboxController
from moorage_tasks_shim.creations import Adjust, Creator
from moorage_tasks_shim.managers import ShimTaskManager
from moorage_tasks_shim.presets import Presets
from moorage_tasks_shim.recoveries import Recovery
from moorage_tasks_shim.registries import Registry
from moorage_tasks_shim.sandbox_creations import SandboxCreator
from moorage_tasks_shim.sandboxes import Sandbox
from moorage_tasks_shim.tasks import Task

URI = "io.containerd.runtime.v2.task"

LOG_SCHEMES = "fifo,binary,binary-v2,file"
"""Export of the same plugin in containerd: what stdio may be besides a path (core/runtime/v2/task_manager.go)."""

_TIMEOUTS = {
    "load": "io.containerd.timeout.shim.load",
    "cleanup": "io.containerd.timeout.shim.cleanup",
    "shutdown": "io.containerd.timeout.shim.shutdown",
    "state": "io.containerd.timeout.task.state",
}
TIMEOUTS = Table(
    "timeouts",
    Duration,
    {name: Duration(getattr(Timeouts(), field)) for field, name in _TIMEOUTS.items()},
    closed=True,
)


@dataclass(frozen=True)
class Config:
    platforms: tuple[str, ...] = ()
    """Accepted for containerd's sake; the host's platform is what runs."""
    env: tuple[str, ...] = ()
    """``NAME=value`` for the environment of shims' binaries."""
    socket_dir: str = ""
    """Where shims that ask for it make their sockets."""
    protobuf_shims: tuple[str, ...] = ()
    """File names of shims that read BootstrapParams at their start, besides those that are known to."""


def make(ctx: InitContext, config: Config) -> TaskManager:
    bundles = Bundles(_passable(ctx.state), _passable(ctx.root))
    timeouts = _timeouts(ctx.table("timeouts"))
    presets = Presets(ctx.all(RUNTIME_PRESET))
    carriers = Carriers(ctx.all(RUNTIME), _binaries(ctx, config, timeouts), presets)
    registry = Registry(Task, bundles, carriers, timeouts)
    recovery = Recovery(registry, ctx.one(EXCHANGE))
    activations = Activations(next(iter(ctx.all(MOUNT_MANAGER).values()), None))
    registry.on_ended(activations.deactivate)
    ctx.on_close(activations.close)
    ctx.on_close(registry.close)
    ctx.export("log-uri-schemes", LOG_SCHEMES)
    manager = ShimTaskManager(registry, Creator(registry, _adjust(ctx), activations), recovery, timeouts.state)
    # Tasks whose shim died while no daemon ran are to be told of now, not when somebody asks for the first.
    registry.background(recovery.loaded())
    return manager


def make_controller(ctx: InitContext, config: NoConfig) -> SandboxController:
    manager = ctx.one(TASKS)
    if not isinstance(manager, ShimTaskManager):
        raise Skip("the task manager is another's, and does not lend its shims")
    tasks = manager.registry
    bundles = Bundles(ctx.state, ctx.root)
    registry = Registry(Sandbox, bundles, tasks.carriers, tasks.timeouts, tasks.links)
    registry.meet(tasks)
    tasks.meet(registry)
    exchange = ctx.one(EXCHANGE)
    recovery = Recovery(registry, exchange)
    manager.recovery.follow(recovery)
    ctx.on_close(registry.close)
    registry.background(recovery.loaded())
    return ShimSandboxController(registry, SandboxCreator(registry, exchange), recovery)


def _binaries(ctx: InitContext, config: Config, timeouts: Timeouts) -> Callable[[Path], Binary]:
    daemon = Daemon(
        grpc_address=addresses.grpc(ctx),
        ttrpc_address=addresses.ttrpc(ctx),
        binary=_command(),
        version=ctx.daemon.version,
        socket_dir=config.socket_dir,
    )
    versions: Versions = {}
    return lambda path: Binary(path, daemon, config.env, timeouts, config.protobuf_shims, versions)


def _command() -> str:
    """What shims may call to publish an event: the script that started us, or the one beside the interpreter."""
    script = Path(sys.argv[0]).absolute()
    return str(script if os.access(script, os.X_OK) else Path(sys.executable).with_name("mooraged"))


def _adjust(ctx: InitContext) -> Adjust | None:
    if not isinstance(ctx, Chains):
        return None
    chains = ctx

    def adjust(namespace: str, id: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        adjusted: Mapping[str, Any] = chains.chain("adjust_container", "spec", namespace=namespace, id=id, spec=spec)
        return adjusted

    return adjust


def _timeouts(table: Mapping[str, Any]) -> Timeouts:
    """Those of the table ``[timeouts]`` that concern shims."""
    told = TIMEOUTS.read(table)
    return Timeouts(**{field: float(told[name]) for field, name in _TIMEOUTS.items()})


def _passable(folder: Path) -> Path:
    """User namespaces must reach the rootfs beneath; each bundle itself is closed (core/runtime/v2/task_manager.go)."""
    folder.chmod(0o711)
    return folder


controller = Plugin(SANDBOX_CONTROLLER, "shim", make_controller, requires=(TASKS, EXCHANGE))
plugin = Plugin(
    TASKS,
    "shim",
    make,
    Config,
    requires=(RUNTIME, RUNTIME_PRESET, EXCHANGE, MOUNT_MANAGER),
    uri_override=URI,
    tables=(TIMEOUTS,),
)
