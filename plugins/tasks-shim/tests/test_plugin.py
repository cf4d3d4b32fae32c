"""What the plugin makes of its surroundings."""

import asyncio
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_sdk.slots import NoConfig, Skip
from moorage_tasks_shim import plugin
from moorage_tasks_shim.managers import ShimTaskManager
from moorage_tasks_shim.plugin import Config
from moorage_testkit.fakes.contexts import Context
from moorage_testkit.fakes.events import MemoryExchange
from moorage_testkit.fakes.shims import Shim, ShimRuntime
from moorage_testkit.fakes.tasks import MemoryTasks


def context(folder: Path, **tables: Any) -> Context:
    runtime = ShimRuntime(Shim(folder / "s"))
    plugins = {"events": {"exchange": MemoryExchange()}, "runtime": {"runc": runtime}}
    return Context(folder, plugin.URI, plugins, tables)


def test_it_is_containerds_plugin(tmp_path: Path) -> None:
    assert plugin.plugin.uri == "io.containerd.runtime.v2.task"


def test_directories_can_be_passed_through_and_the_manager_works(tmp_path: Path) -> None:
    async def run() -> None:
        ctx = context(tmp_path)
        manager = plugin.make(ctx, Config())
        for folder in (tmp_path / "state" / plugin.URI, tmp_path / "root" / plugin.URI):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o711
        assert ctx.exports == {"log-uri-schemes": "fifo,binary,binary-v2,file"}
        assert await manager.list("ns") == []
        with pytest.raises(errors.NotFound):
            await manager.get("ns", "web")
        ctx.close()

    asyncio.run(run())


def test_the_controller_lives_with_the_managers_shims(tmp_path: Path) -> None:
    async def run() -> None:
        ctx = context(tmp_path)
        manager = plugin.make(ctx, Config())
        assert isinstance(manager, ShimTaskManager)
        assert plugin.controller.uri == "io.containerd.sandbox.controller.v1.shim"
        theirs = {**ctx.plugins, "tasks": {"shim": manager}}
        own = Context(tmp_path, plugin.controller.uri, theirs)
        controller = plugin.make_controller(own, NoConfig())
        assert (await controller.status("ns", "pod")).state == ""
        with pytest.raises(errors.NotFound):
            await controller.wait("ns", "pod")
        own.close()
        ctx.close()

    asyncio.run(run())


def test_without_our_task_manager_there_is_no_controller(tmp_path: Path) -> None:
    ctx = Context(tmp_path, plugin.controller.uri, {"tasks": {"other": MemoryTasks()}})
    with pytest.raises(Skip, match="another's"):
        plugin.make_controller(ctx, NoConfig())


def test_timeouts_come_from_their_table() -> None:
    timeouts = plugin._timeouts({"io.containerd.timeout.shim.load": "1m30s"})
    assert (timeouts.load, timeouts.state) == (90, 2)


def test_what_shims_are_told(tmp_path: Path) -> None:
    binary = plugin._binaries(context(tmp_path), Config(env=("B=2",), socket_dir="/own"), plugin.Timeouts())(Path("/x"))
    assert (binary.env, binary.daemon.socket_dir) == (("B=2",), "/own")
    assert binary.daemon.ttrpc_address == f"{binary.daemon.grpc_address}.ttrpc"


def test_shims_may_call_the_script_or_the_one_beside_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "containerd"
    script.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert plugin._command() == str(script)
    script.chmod(0o644)
    assert plugin._command() == str(Path(sys.executable).with_name("mooraged"))


def test_its_timeouts_are_those_of_the_table() -> None:
    assert {name: float(value) for name, value in plugin.TIMEOUTS.entries.items()} == {
        "io.containerd.timeout.shim.load": 5,
        "io.containerd.timeout.shim.cleanup": 5,
        "io.containerd.timeout.shim.shutdown": 3,
        "io.containerd.timeout.task.state": 2,
    }
