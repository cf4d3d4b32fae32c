"""The slot's methods, against a shim without containers and against containerd's own."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage_api.messages import types
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.tasks import Creation, Status, Stdio

SPEC = b'{"ociVersion": "1.0.2"}'
RUNTIME = "io.containerd.runc.v2"
PROCESS = Payload("types.containerd.io/opencontainers/runtime-spec/1/Process", b"{}")


def test_a_life(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        manager = here.manager
        async with here.shim as shim:
            pid = await manager.create("ns", Creation("web", RUNTIME, SPEC, stdio=Stdio(stdout="/out")))
            assert await manager.start("ns", "web") == pid
            process = await manager.get("ns", "web")
            assert (process.pid, process.status, process.stdio.stdout) == (pid, Status.RUNNING, "/out")
            with pytest.raises(errors.FailedPrecondition):
                await manager.start("ns", "web")
            with pytest.raises(errors.FailedPrecondition):
                await manager.delete("ns", "web")
            await manager.pause("ns", "web")
            assert (await manager.get("ns", "web")).status == Status.PAUSED
            await manager.resume("ns", "web")
            await manager.resize("ns", "web", "", 80, 25)
            await manager.close_io("ns", "web", "", stdin=True)
            await manager.close_io("ns", "web", "", stdin=False)
            assert shim.calls["CloseIO"] == 1
            await manager.update("ns", "web", Payload("LinuxResources", b"{}"), {"a": "b"})
            await manager.update("ns", "web", None)
            await manager.checkpoint("ns", "web", "/image", None)
            assert [each.pid for each in await manager.pids("ns", "web")] == [pid]
            assert (await manager.stats("ns", "web")).type_url == "io.containerd.cgroups.v2.Metrics"
            await manager.kill("ns", "web", 9)
            assert (await manager.wait("ns", "web")).status == 137
            with pytest.raises(errors.NotFound, match="process already finished"):
                await manager.kill("ns", "web", 9)
            exited = await manager.delete("ns", "web")
            assert (exited.status, exited.pid) == (137, pid)
            for gone in (manager.get("ns", "web"), manager.wait("ns", "web"), manager.delete("ns", "web")):
                with pytest.raises(errors.NotFound):
                    await gone
            here.registry.close()

    asyncio.run(run())


def test_execs(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        manager = here.manager
        async with here.shim:
            await manager.create("ns", Creation("web", RUNTIME, SPEC))
            for _ in range(2):  # an id may be used again after the process was deleted
                await manager.exec("ns", "web", "e", PROCESS, Stdio(terminal=True))
                with pytest.raises(errors.AlreadyExists):
                    await manager.exec("ns", "web", "e", PROCESS, Stdio())
                assert (await manager.get("ns", "web", "e")).stdio.terminal
                await manager.start("ns", "web", "e")
                await manager.kill("ns", "web", 15, exec_id="e")
                assert (await manager.wait("ns", "web", "e")).status == 143
                exited = await manager.delete_process("ns", "web", "e")
                assert (exited.id, exited.status) == ("e", 143)
            with pytest.raises(errors.NotFound):
                await manager.get("ns", "web", "e")
            for exec_id in ("e", "../x"):
                with pytest.raises(errors.NotFound):
                    await manager.delete_process("ns", "web", exec_id)
                with pytest.raises(errors.NotFound):
                    await manager.close_io("ns", "web", exec_id, stdin=False)
            with pytest.raises(errors.InvalidArgument):
                await manager.delete_process("ns", "web", "")
            with pytest.raises(errors.NotFound):
                await manager.delete_process("ns", "nobody", "")
            here.registry.close()

    asyncio.run(run())


@pytest.mark.parametrize("exec_id", ["", "../x", "a/b", "a" * 77, "-a", "\0"])
def test_exec_ids_are_identifiers(house: Callable[..., Any], exec_id: str) -> None:
    async def run() -> None:
        here = house()
        with pytest.raises(errors.InvalidArgument):
            await here.manager.exec("ns", "web", exec_id, PROCESS, Stdio())
        here.registry.close()

    asyncio.run(run())


@pytest.mark.parametrize("id", ["", "../x", "a/b", "a" * 77, ".", "-a", "\0"])
def test_task_ids_are_identifiers_and_nothing_is_made_of_others(house: Callable[..., Any], id: str) -> None:
    async def run() -> None:
        here = house()
        with pytest.raises(errors.InvalidArgument):
            await here.manager.create("ns", Creation(id, RUNTIME, SPEC))
        assert list(here.bundles.state.iterdir()) == []

    asyncio.run(run())


def test_a_namespace_is_required_and_separates(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        async with here.shim:
            await here.manager.create("ns", Creation("web", RUNTIME, SPEC))
            with pytest.raises(errors.FailedPrecondition):
                await here.manager.list("")
            assert await here.manager.list("other") == []
            with pytest.raises(errors.NotFound, match='task "web" in namespace "other"'):
                await here.manager.get("other", "web")
            here.registry.close()

    asyncio.run(run())


def test_a_task_the_shim_has_lost_is_not_found_and_its_remains_go(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        async with here.shim as shim:
            await here.manager.create("ns", Creation("web", RUNTIME, SPEC))
            shim.tasks.clear()
            with pytest.raises(errors.NotFound):
                await here.manager.delete("ns", "web")
            assert list(here.bundles.all()) == []
            await here.manager.create("ns", Creation("web", RUNTIME, SPEC))
            here.registry.close()

    asyncio.run(run())


def test_of_two_deletes_at_once_one_finds_nothing(house: Callable[..., Any]) -> None:
    """It was told that the shim is being looked for, by a task that the other had just removed."""

    async def run() -> None:
        here = house()
        async with here.shim:
            await here.manager.create("ns", Creation("web", RUNTIME, SPEC))
            here.shim.exit("ns", "web", status=3)
            twice = (here.manager.delete("ns", "web"), here.manager.delete("ns", "web"))
            outcomes = await asyncio.gather(*twice, return_exceptions=True)
            assert [each.status for each in outcomes if not isinstance(each, BaseException)] == [3]
            assert [type(each) for each in outcomes if isinstance(each, BaseException)] == [errors.NotFound]
            here.registry.close()

    asyncio.run(run())


def test_a_delete_whose_caller_goes_away_is_finished(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        async with here.shim:
            await here.manager.create("ns", Creation("web", RUNTIME, SPEC))
            here.shim.exit("ns", "web")
            caller = asyncio.create_task(here.manager.delete("ns", "web"))
            while not here.shim.calls["Delete"]:
                await asyncio.sleep(0)
            caller.cancel()
            async with asyncio.timeout(10):
                while here.registry.has("ns", "web") or any(here.bundles.all()):
                    await asyncio.sleep(0.01)
            here.registry.close()

    asyncio.run(run())


def test_list_shows_what_does_not_answer_as_unknown(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        async with here.shim as shim:
            await here.manager.create("ns", Creation("b", RUNTIME, SPEC))
            await here.manager.create("ns", Creation("a", RUNTIME, SPEC))
            shim.hang.add("State")
            found = await here.manager.list("ns")
            assert [(each.container_id, each.status) for each in found] == [
                ("a", Status.UNKNOWN),
                ("b", Status.UNKNOWN),
            ]
            with pytest.raises(errors.DeadlineExceeded):
                await here.manager.get("ns", "a")
            here.registry.close()

    asyncio.run(run())


def test_info_asks_the_binary(house: Callable[..., Any], tmp_path: Path) -> None:
    shim = tmp_path / "containerd-shim-x-v1"
    (tmp_path / "answer").write_bytes(types.RuntimeInfo(name="x").SerializeToString())
    shim.write_text(f"#!/bin/sh\ncat {tmp_path / 'answer'}\n")
    shim.chmod(0o755)

    async def run() -> None:
        here = house()
        request = types.RuntimeRequest(runtime_path=str(shim)).SerializeToString()
        said = await here.manager.info(Payload("containerd.types.RuntimeRequest", request))
        assert types.RuntimeInfo.FromString(said.value).name == "x"
        with pytest.raises(errors.InvalidArgument):
            await here.manager.info(Payload("containerd.types.Platform", b""))
        here.registry.close()

    asyncio.run(run())


@pytest.fixture
def container(tmp_path: Path) -> bytes:
    """A real container's specification: busybox that exits by itself with 42."""
    rootfs = tmp_path / "rootfs"
    (rootfs / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", rootfs / "bin" / "sh")
    subprocess.run(["runc", "spec"], cwd=tmp_path, check=True)
    spec = json.loads((tmp_path / "config.json").read_text())
    spec["root"] = {"path": str(rootfs), "readonly": False}
    spec["process"] |= {"terminal": False, "args": ["sh", "-c", "exit 42"]}
    return json.dumps(spec).encode()


SHIM = shutil.which("containerd-shim-runc-v2")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to run a container")
@pytest.mark.skipif(
    not (SHIM and shutil.which("runc") and Path("/bin/busybox").exists()), reason="no runc and its shim"
)
def test_a_container_behind_containerds_own_shim(house: Callable[..., Any], container: bytes) -> None:
    async def run() -> None:
        first = house()
        await first.manager.create("test-moorage", Creation("real", str(SHIM), container))
        first.registry.close()
        second = first.again()
        try:
            assert (await second.manager.get("test-moorage", "real")).status == Status.CREATED
            wait = asyncio.create_task(second.manager.wait("test-moorage", "real"))
            assert await second.manager.start("test-moorage", "real") > 0
            assert (await asyncio.wait_for(wait, 30)).status == 42
        finally:
            exited = await second.manager.delete("test-moorage", "real")
        assert exited.status == 42
        assert list(second.bundles.all()) == []
        second.registry.close()

    asyncio.run(run())
