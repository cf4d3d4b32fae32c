"""The shim without containers."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from moorage_api import methods
from moorage_sdk import errors
from moorage_sdk.tasks import Bundle, Status
from moorage_testkit.fakes.shims import NAMESPACE, SANDBOX, Shim, ShimRuntime
from moorage_ttrpc.clients import Client, connect


async def ask(client: Client, method: str, version: int = 3, **fields: object) -> object:
    service = methods.service(f"containerd.task.v{version}.Task")
    request = service.methods[method].request(**{"id": "web", **fields}).SerializeToString()
    answer = await client.call(service.name, method, request, metadata=[(NAMESPACE, "ns")])
    return service.methods[method].response.FromString(answer)


@pytest.mark.parametrize("version", [2, 3])
def test_a_life_in_both_versions(tmp_path: Path, version: int) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s", version) as shim:
            client = await connect(shim.path)
            for method in ("Create", "Start", "Pause", "Resume", "Pids", "Stats", "Connect", "Update", "Checkpoint"):
                await ask(client, method, version)
            with pytest.raises(errors.FailedPrecondition):
                await ask(client, "Delete", version)
            await ask(client, "Kill", version, signal=9)
            with pytest.raises(errors.NotFound):
                await ask(client, "Kill", version, signal=9)
            assert shim.tasks["ns", "web", ""].status == Status.STOPPED
            with pytest.raises(errors.FailedPrecondition):
                await ask(client, "Exec", version, exec_id="e")
            await ask(client, "Delete", version)
            assert shim.tasks == {}
            assert shim.calls["Kill"] == 2
            await client.close()

    asyncio.run(run())


def test_version_two_knows_no_three(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s", 2) as shim:
            client = await connect(shim.path)
            with pytest.raises(errors.Unimplemented):
                await ask(client, "Create", 3)
            await client.close()

    asyncio.run(run())


def test_methods_fail_or_hang_as_told(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s", fail={"Create": errors.DataLoss("x")}, hang={"Start"}) as shim:
            client = await connect(shim.path)
            with pytest.raises(errors.DataLoss):
                await ask(client, "Create")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ask(client, "Start"), 0.05)
            await client.close()

    asyncio.run(run())


def test_its_runtime_says_where_it_is_or_what_it_is_told_to(tmp_path: Path) -> None:
    async def run() -> None:
        runtime, bundle = ShimRuntime(Shim(tmp_path / "s"), "a", "b"), Bundle("/b", "ns", "web")
        assert runtime.names == ("a", "b")
        assert await runtime.start(bundle) == await runtime.find(bundle) == runtime.endpoint
        runtime.found = errors.Unavailable("x")
        with pytest.raises(errors.Unavailable):
            await runtime.find(bundle)
        await runtime.cleanup(bundle)
        assert runtime.cleaned == [bundle]

    asyncio.run(run())


async def ask_sandbox(client: Client, method: str, **fields: object) -> Any:
    service = methods.service(SANDBOX)
    request = service.methods[method].request(sandbox_id="pod", **fields).SerializeToString()
    answer = await client.call(SANDBOX, method, request, metadata=[(NAMESPACE, "ns")])
    return service.methods[method].response.FromString(answer)


def test_sandboxes(tmp_path: Path) -> None:
    async def run() -> None:
        left: list[str] = []
        async with Shim(tmp_path / "s", sandboxes={}, leave=lambda: left.append("left")) as shim:
            client = await connect(shim.path)
            with pytest.raises(errors.NotFound):
                await ask_sandbox(client, "PingSandbox")
            await ask_sandbox(client, "CreateSandbox", netns_path="/n")
            with pytest.raises(errors.AlreadyExists):
                await ask_sandbox(client, "CreateSandbox")
            assert (await ask_sandbox(client, "StartSandbox")).pid == 42
            for method in ("PingSandbox", "Platform", "SandboxMetrics"):
                await ask_sandbox(client, method)
            assert (await ask_sandbox(client, "SandboxStatus", verbose=True)).state == "SANDBOX_READY"
            waiting = asyncio.create_task(ask_sandbox(client, "WaitSandbox"))
            await ask_sandbox(client, "StopSandbox")
            assert (await waiting).exit_status == 137
            shim.fail["PingSandbox"] = errors.Internal("x")
            with pytest.raises(errors.Internal):
                await ask_sandbox(client, "PingSandbox")
            await ask_sandbox(client, "ShutdownSandbox")
            assert (shim.sandboxes, left) == ({}, ["left"])
            await client.close()
        async with Shim(tmp_path / "s") as plain:
            client = await connect(plain.path)
            with pytest.raises(errors.Unimplemented):
                await ask_sandbox(client, "CreateSandbox")
            await client.close()

    asyncio.run(run())
