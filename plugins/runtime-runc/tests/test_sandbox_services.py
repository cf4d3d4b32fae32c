"""The Sandbox API of a monitor that runs."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from moorage_api import methods
from moorage_runtime_runc import removals
from moorage_runtime_runc.shims import SANDBOX
from moorage_sdk import errors, platforms
from moorage_sdk.tasks import Bundle


async def ask(node: Any, method: str, id: str = "pod", **fields: Any) -> Any:
    known = methods.service(SANDBOX).methods[method]
    client = await node.client()
    metadata = [("containerd-namespace-ttrpc", "test")]
    payload = known.request(sandbox_id=id, **fields).SerializeToString()
    return known.response.FromString(await client.call(SANDBOX, method, payload, metadata=metadata))


def made(node: Any, id: str = "pod") -> str:
    folder = node.folder / "bundles" / id
    folder.mkdir(parents=True)
    return str(folder)


def test_every_method_is_served() -> None:
    from moorage_runtime_runc.records import Index
    from moorage_runtime_runc.sandbox_services import SandboxService
    from moorage_runtime_runc.sandboxes import Sandboxes

    class NoIndex(Index):
        def __init__(self) -> None:
            return

    (served,) = SandboxService(Sandboxes(NoIndex())).services().values()
    assert served.keys() == methods.service(SANDBOX).methods.keys()


def test_a_life(scenario: Any) -> None:
    async def body(node: Any) -> None:
        for method in ("StartSandbox", "WaitSandbox", "SandboxStatus", "PingSandbox", "ShutdownSandbox", "Platform"):
            with pytest.raises(errors.NotFound):
                await ask(node, method)
        await ask(node, "CreateSandbox", bundle_path=made(node), netns_path="/run/netns/x")
        with pytest.raises(errors.AlreadyExists):
            await ask(node, "CreateSandbox", bundle_path=str(node.folder / "bundles" / "pod"))
        with pytest.raises(errors.NotFound):
            await ask(node, "CreateSandbox", "other", bundle_path=str(node.folder / "missing"))
        started = await ask(node, "StartSandbox")
        assert (started.pid, started.created_at.seconds > 0) == (0, True)
        assert (await ask(node, "SandboxStatus", verbose=True)).state == "SANDBOX_READY"
        assert (await ask(node, "Platform")).platform.architecture == platforms.host().architecture
        assert not (await ask(node, "SandboxMetrics")).HasField("metrics")
        await ask(node, "PingSandbox")
        waits = [asyncio.create_task(ask(node, "WaitSandbox")) for _ in range(2)]
        await asyncio.sleep(0.05)
        await ask(node, "StopSandbox", timeout_secs=1)
        assert [(await wait).exit_status for wait in waits] == [0, 0]
        status = await ask(node, "SandboxStatus")
        assert (status.state, status.exited_at == (await waits[0]).exited_at) == ("SANDBOX_NOTREADY", True)
        await ask(node, "ShutdownSandbox")
        with pytest.raises(errors.NotFound):
            await ask(node, "PingSandbox")

    scenario(body)


def test_removing_it_ends_the_wait(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await ask(node, "CreateSandbox", bundle_path=made(node))
        waiting = asyncio.create_task(ask(node, "WaitSandbox"))
        await asyncio.sleep(0.05)
        await ask(node, "ShutdownSandbox")
        assert (await waiting).exited_at.seconds > 0

    scenario(body)


def test_it_outlives_the_monitor(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await ask(node, "CreateSandbox", bundle_path=made(node))
        started = await ask(node, "StartSandbox")
        client = await node.client()
        node.stop(signal.SIGKILL)
        await client.connection.closed.wait()
        node.start()
        status = await ask(node, "SandboxStatus")
        assert (status.state, status.created_at) == ("SANDBOX_READY", started.created_at)
        await ask(node, "ShutdownSandbox")

    scenario(body)


def test_the_shims_delete_takes_it_away(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle = Bundle(made(node), "test", "pod")
        assert not await asyncio.to_thread(removals.sandbox, node.socket, bundle)
        await ask(node, "CreateSandbox", bundle_path=bundle.path)
        assert await asyncio.to_thread(removals.sandbox, node.socket, bundle)
        with pytest.raises(errors.NotFound):
            await ask(node, "PingSandbox")

    scenario(body)
