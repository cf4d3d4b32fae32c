"""Tasks that live in the shim of their sandbox."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_sdk.containers import Runtime
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.sandboxes import Creation as SandboxCreation
from moorage_sdk.sandboxes import Sandbox
from moorage_sdk.tasks import Creation
from moorage_tasks_shim import lodgings, records
from moorage_testkit import programs
from moorage_testkit.fakes.shims import Shim


def task(id: str = "web", **fields: Any) -> Creation:
    return Creation(**{"id": id, "runtime": programs.RUNTIME, "spec": b"{}", "sandbox": "pod", **fields})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "bin"
    made.mkdir()
    programs.shim(made)
    monkeypatch.setenv("PATH", f"{made}:{os.environ['PATH']}")
    return made


def starts(folder: Path) -> list[str]:
    return [line for line in (folder / "calls").read_text().splitlines() if line.startswith("start")]


def test_a_task_of_a_sandbox_is_created_in_its_shim(pods: Callable[..., Any], folder: Path) -> None:
    async def run() -> None:
        here = pods()
        await here.controller.create("ns", SandboxCreation(Sandbox("pod", Runtime(programs.RUNTIME))))
        address = (await here.controller.start("ns", "pod")).address
        for id in ("web", "db"):
            await here.manager.create("ns", task(id))
            await here.manager.start("ns", id)
        assert starts(folder) == ["start pod"]
        bundle = here.bundles.bundle("ns", "web")
        assert Path(bundle.path, "sandbox").read_text() == "pod"
        assert address.removeprefix("ttrpc+") in Path(bundle.path, "bootstrap.json").read_text()
        assert records.load(bundle).sandbox == "pod"
        # The next daemon finds them there.
        here.close()
        here = here.again()
        assert [each.container_id for each in await here.manager.list("ns")] == ["db", "web"]
        for id in ("web", "db"):
            await here.manager.kill("ns", id, 9)
            await here.manager.delete("ns", id)
        # The last container does not take the sandbox with it.
        assert (await here.controller.status("ns", "pod")).state == "SANDBOX_READY"
        await here.controller.shutdown("ns", "pod")
        here.close()

    asyncio.run(run())


def test_the_end_of_a_sandbox_is_the_end_of_its_tasks(pods: Callable[..., Any], folder: Path) -> None:
    async def run() -> None:
        here = pods()
        await here.controller.create("ns", SandboxCreation(Sandbox("pod", Runtime(programs.RUNTIME))))
        await here.manager.create("ns", task())
        waiting = asyncio.create_task(here.manager.wait("ns", "web"))
        await asyncio.sleep(0.05)
        await here.controller.shutdown("ns", "pod")
        assert (await asyncio.wait_for(waiting, 10)).status == 137
        async with asyncio.timeout(10):
            while list(here.bundles.all()):
                await asyncio.sleep(0.01)
        assert here.topics.count("/tasks/exit") == 2
        here.close()

    asyncio.run(run())


def test_whoever_made_the_sandbox_may_say_where_it_is(pods: Callable[..., Any], tmp_path: Path) -> None:
    async def run() -> None:
        here = pods()
        async with Shim(tmp_path / "elsewhere") as shim:
            told = task(runtime="io.containerd.none.v1", address=f"ttrpc+unix://{shim.path}", version=3)
            await here.manager.create("ns", told)
            assert ("ns", "web", "") in shim.tasks
            here.close()
            here = here.again()
            await here.manager.start("ns", "web")
            await here.manager.kill("ns", "web", 9)
            assert (await here.manager.delete("ns", "web")).status == 137
            assert shim.calls["Shutdown"] == 0
            here.close()

    asyncio.run(run())


def test_addresses() -> None:
    endpoint = lodgings._endpoint("ttrpc+unix:///run/x.sock", 3)
    assert endpoint == Endpoint("/run/x.sock", 3, shared=True)
    assert lodgings._endpoint("grpc+unix:///x", 3) == Endpoint("/x", 3, shared=True, protocol="grpc")
    with pytest.raises(errors.InvalidArgument, match="no protocol"):
        lodgings._endpoint("unix:///run/x.sock", 3)
    for address, version in (
        ("grpc+unix:///x", 2),
        ("soap+unix:///x", 3),
        ("ttrpc+vsock://3:1", 3),
        ("ttrpc+unix:///x", 7),
    ):
        with pytest.raises(errors.Unimplemented):
            lodgings._endpoint(address, version)


def test_without_a_shim_to_share_a_task_gets_its_own(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim:
            with pytest.raises(errors.NotFound, match='sandbox "pod" in namespace "ns": no shim: not found'):
                await here.manager.create("ns", task())
            assert list(here.bundles.all()) == []
            assert lodgings.find(here.registry, "ns", task(sandbox="", address="ttrpc+unix:///x", version=3)) is None
            # The monitor carries everybody anyway.
            await here.controller.create("ns", SandboxCreation(Sandbox("pod", Runtime("io.containerd.runc.v2"))))
            assert lodgings.find(here.registry, "ns", task()) is None
            # So does a pod whose first container goes by its id, as the kubelet's do.
            await here.manager.create("ns", task("first", runtime="io.containerd.runc.v2", sandbox=""))
            assert lodgings.find(here.registry, "ns", task(sandbox="first")) is None
            here.close()

    asyncio.run(run())


def test_the_first_container_of_a_pod_shares_its_shim(pods: Callable[..., Any], folder: Path) -> None:
    async def run() -> None:
        here = pods()
        await here.manager.create("ns", task("pod", sandbox=""))
        await here.manager.create("ns", task("web"))
        assert starts(folder) == ["start pod"]
        for id in ("web", "pod"):
            await here.manager.start("ns", id)
            await here.manager.kill("ns", id, 9)
            await here.manager.delete("ns", id)
        programs.kill(folder, "pod")
        here.close()

    asyncio.run(run())
