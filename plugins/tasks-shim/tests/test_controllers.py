"""The slot over a shim that runs nothing, and over one that is a process."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_sdk.containers import Runtime
from moorage_sdk.events import Payload
from moorage_sdk.platforms import Platform
from moorage_sdk.sandboxes import Creation, Sandbox
from moorage_testkit import programs

RUNTIME = "io.containerd.runc.v2"


def creation(runtime: str = RUNTIME) -> Creation:
    return Creation(Sandbox("pod", Runtime(runtime)))


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


def test_a_life(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        controller = here.controller
        async with here.shim as shim:
            await controller.create("ns", creation())
            assert (await controller.status("ns", "pod")).state == "SANDBOX_NOTREADY"
            instance = await controller.start("ns", "pod")
            assert (instance.id, instance.pid) == ("pod", 42)
            assert (instance.address, instance.version) == (f"ttrpc+unix://{shim.path}", 3)
            status = await controller.status("ns", "pod", verbose=True)
            assert (status.state, status.info, status.address) == (
                "SANDBOX_READY",
                {"scripted": "yes"},
                instance.address,
            )
            assert await controller.platform("ns", "pod") == Platform("linux", "riscv64")
            figures = await controller.metrics("ns", "pod")
            assert figures is not None and figures.id == "pod"
            await controller.update("ns", "pod", creation().sandbox, ("labels",))
            waiting = asyncio.create_task(controller.wait("ns", "pod"))
            await asyncio.sleep(0.01)
            await controller.stop("ns", "pod", 3.0)
            assert (await waiting).status == 137
            await controller.shutdown("ns", "pod")
            assert shim.sandboxes == {}
            assert list(here.pods.bundles.all()) == []
            # The monitor is nobody's shim that died.
            assert here.topics == []
            here.close()

    asyncio.run(run())


def test_what_is_not_there(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        controller = here.controller
        await controller.stop("ns", "pod")
        status = await controller.status("ns", "pod")
        assert (status.id, status.state, status.created_at) == ("pod", "", 0)
        assert status.exited_at > 0
        for call in (controller.wait, controller.shutdown, controller.metrics, controller.platform):
            with pytest.raises(errors.NotFound, match='sandbox "pod" in namespace "ns": not found'):
                await call("ns", "pod")
        with pytest.raises(errors.Error, match="unable to find") as raised:
            await controller.start("ns", "pod")
        assert type(raised.value) is errors.Error
        for bad in ("", "a b"):
            with pytest.raises(errors.InvalidArgument):
                await controller.create("ns", Creation(Sandbox(bad, Runtime(RUNTIME))))
        with pytest.raises(errors.FailedPrecondition):
            await controller.status("", "pod")
        here.close()

    asyncio.run(run())


def test_one_that_does_not_start_is_gone(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim as shim:
            await here.controller.create("ns", creation())
            shim.fail["StartSandbox"] = errors.Internal("no kvm")
            with pytest.raises(errors.Internal, match="failed to start sandbox pod: no kvm"):
                await here.controller.start("ns", "pod")
            assert shim.sandboxes == {}
            assert list(here.pods.bundles.all()) == []
            here.close()

    asyncio.run(run())


def test_faults_of_the_shim_keep_their_class(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        controller = here.controller
        async with here.shim as shim:
            await controller.create("ns", creation())
            for method, call in {
                "Platform": controller.platform,
                "StopSandbox": controller.stop,
                "WaitSandbox": controller.wait,
                "SandboxStatus": controller.status,
                "ShutdownSandbox": controller.shutdown,
                "SandboxMetrics": controller.metrics,
            }.items():
                shim.fail[method] = errors.ResourceExhausted("too many")
                with pytest.raises(errors.ResourceExhausted, match="too many"):
                    await call("ns", "pod")
            # What can do without an answer does.
            for gone in (errors.NotFound("x"), errors.Unavailable("x")):
                shim.fail["StopSandbox"] = gone
                await controller.stop("ns", "pod")
            shim.fail.clear()
            await controller.shutdown("ns", "pod")
            here.close()

    asyncio.run(run())


def test_the_next_daemon_finds_it_again(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        first = pods()
        async with first.shim as shim:
            await first.controller.create("ns", creation())
            await first.controller.start("ns", "pod")
            first.close()
            second = first.again()
            assert (await second.controller.status("ns", "pod")).state == "SANDBOX_READY"
            with pytest.raises(errors.AlreadyExists):
                await second.controller.create("ns", creation())
            waiting = asyncio.create_task(second.controller.wait("ns", "pod"))
            await asyncio.sleep(0.01)
            shim.end_sandbox("ns", "pod", 3)
            assert (await waiting).status == 3
            second.close()

    asyncio.run(run())


def test_one_that_the_shim_has_lost_is_forgotten(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        first = pods()
        async with first.shim as shim:
            await first.controller.create("ns", creation())
            first.close()
            shim.sandboxes.clear()
            second = first.again()
            assert (await second.controller.status("ns", "pod")).state == ""
            assert list(second.pods.bundles.all()) == []
            assert second.runtime.cleaned == []
            second.close()

    asyncio.run(run())


def test_a_connection_that_breaks_is_made_again(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim as shim:
            await here.controller.create("ns", creation())
            await here.controller.start("ns", "pod")
            waiting = asyncio.create_task(here.controller.wait("ns", "pod"))
            await asyncio.sleep(0.01)
            await shim.stop()
            await shim.start()
            assert (await here.controller.status("ns", "pod")).state == "SANDBOX_READY"
            await until(lambda: shim.calls["WaitSandbox"] == 2)
            shim.end_sandbox("ns", "pod", 5)
            assert (await waiting).status == 5
            here.close()

    asyncio.run(run())


def test_a_sandbox_out_of_reach_is_not_said_to_be_stopped(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim as shim:
            await here.controller.create("ns", creation())
            await here.controller.start("ns", "pod")
            await shim.stop()
            await until(lambda: here.pods.get("ns", "pod").link is None)
            for call in (here.controller.shutdown, here.controller.start):
                with pytest.raises(errors.Unavailable):
                    await call("ns", "pod")
            stopping = asyncio.create_task(here.controller.stop("ns", "pod"))
            await asyncio.sleep(0.05)
            assert not stopping.done()
            await shim.start()
            await asyncio.wait_for(stopping, 10)
            assert (await here.controller.wait("ns", "pod")).status == 137
            here.close()

    asyncio.run(run())


def test_it_is_shut_down_once(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim as shim:
            await here.controller.create("ns", creation())
            both = await asyncio.gather(
                *(here.controller.shutdown("ns", "pod") for _ in range(2)), return_exceptions=True
            )
            assert [type(each).__name__ for each in both] == ["NoneType", "NotFound"]
            assert shim.calls["ShutdownSandbox"] == 1
            here.close()

    asyncio.run(run())


@pytest.mark.skipif(not shutil.which("containerd-shim-runc-v2"), reason="containerd's shim is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to run a shim")
def test_a_real_shim_without_sandboxes_is_not_left_behind(pods: Callable[..., Any]) -> None:
    """No shim of containerd's own has the Sandbox API."""

    name = f"pod{os.getpid()}"

    def running(id: str) -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it may end while we look
                words = path.read_bytes().split(b"\0")
                if b"containerd-shim-runc-v2" in words[0] and id.encode() in words:
                    return True
        return False

    async def run() -> None:
        here = pods()
        with pytest.raises(errors.Unimplemented, match=f"failed to create sandbox {name}"):
            runtime = Runtime(shutil.which("containerd-shim-runc-v2") or "")
            spec = Payload("types.containerd.io/opencontainers/runtime-spec/1/Spec", b"{}")
            await here.controller.create("ns", Creation(Sandbox(name, runtime, spec)))
        assert list(here.pods.bundles.all()) == []
        await until(lambda: not running(name))
        here.close()

    asyncio.run(run())


def test_a_shim_that_is_a_process_lives_dies_and_is_buried(
    pods: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    programs.shim(folder)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def calls() -> list[str]:
        return [line.split()[0] for line in (folder / "calls").read_text().splitlines()]

    async def run() -> None:
        here = pods()
        await here.controller.create("ns", creation(programs.RUNTIME))
        await here.controller.start("ns", "pod")
        here.close()
        here = here.again()
        assert (await here.controller.status("ns", "pod")).state == "SANDBOX_READY"
        await here.controller.shutdown("ns", "pod")
        assert here.topics == ["/tasks/exit", "/tasks/delete"]
        assert calls() == ["start", "serve", "delete"]
        await here.controller.create("ns", creation(programs.RUNTIME))
        waiting = asyncio.create_task(here.controller.wait("ns", "pod"))
        await asyncio.sleep(0.05)
        programs.kill(folder, "pod")
        with pytest.raises(errors.Error, match="its shim is dead"):
            await waiting
        await until(lambda: not list(here.pods.bundles.all()))
        assert (await here.controller.status("ns", "pod")).state == ""
        assert here.topics[2:] == ["/tasks/exit", "/tasks/delete"]
        assert calls()[3:] == ["start", "serve", "delete"]
        here.close()

    asyncio.run(run())
