"""How sandboxes come to be, and what is left when they do not."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_sdk.containers import Runtime
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount
from moorage_sdk.sandboxes import Creation, Sandbox
from moorage_sdk.tasks import Creation as TaskCreation
from moorage_tasks_shim import records

RUNTIME = "io.containerd.runc.v2"
SPEC = Payload("types.containerd.io/opencontainers/runtime-spec/1/Spec", b'{"ociVersion": "1.1.0"}')


def creation(id: str = "pod", **changes: Any) -> Creation:
    return Creation(Sandbox(id, Runtime(changes.pop("runtime", RUNTIME)), changes.pop("spec", SPEC)), **changes)


def test_the_shim_gets_the_whole_request(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim as shim:
            rootfs = (Mount("bind", "/a", ("ro",)),)
            await here.sandbox_creator.create(
                "ns",
                creation(rootfs=rootfs, options=Payload("o", b"1"), netns="/run/netns/x", annotations={"k": "v"}),
            )
            request = shim.sandboxes["ns", "pod"].request
            bundle = here.pods.bundles.bundle("ns", "pod")
            assert (request.sandbox_id, request.bundle_path, request.netns_path) == ("pod", bundle.path, "/run/netns/x")
            assert (request.options.type_url, request.options.value) == ("o", b"1")
            assert dict(request.annotations) == {"k": "v"}
            assert list(request.rootfs[0].options) == ["ro"]
            assert Path(bundle.path, "config.json").read_bytes() == SPEC.value
            assert records.load(bundle).endpoint == here.runtime.endpoint
            here.close()

    asyncio.run(run())


@pytest.mark.parametrize("spec", [None, Payload("anything", b"\x00not json")])
def test_a_specification_may_be_of_any_kind_or_missing(pods: Callable[..., Any], spec: Payload | None) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim:
            await here.sandbox_creator.create("ns", creation(spec=spec))
            config = Path(here.pods.bundles.bundle("ns", "pod").path, "config.json")
            assert (config.read_bytes() if spec else config.exists()) == (spec.value if spec else False)
            here.close()

    asyncio.run(run())


def test_an_id_is_taken_once_among_sandboxes_and_tasks(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim:
            calls = (here.sandbox_creator.create("ns", creation()) for _ in range(3))
            made = await asyncio.gather(*calls, return_exceptions=True)
            assert sorted(type(each).__name__ for each in made) == ["AlreadyExists"] * 2 + ["NoneType"]
            with pytest.raises(errors.AlreadyExists, match='task "pod"'):
                await here.manager.create("ns", TaskCreation("pod", RUNTIME, b"{}"))
            await here.manager.create("ns", TaskCreation("web", RUNTIME, b"{}"))
            with pytest.raises(errors.AlreadyExists, match='sandbox "web"'):
                await here.sandbox_creator.create("ns", creation("web"))
            await here.sandbox_creator.create("other", creation())
            here.close()

    asyncio.run(run())


def test_what_the_shim_refuses_leaves_nothing(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim as shim:
            shim.fail["CreateSandbox"] = errors.ResourceExhausted("no memory")
            with pytest.raises(errors.ResourceExhausted, match="failed to create sandbox pod: no memory"):
                await here.sandbox_creator.create("ns", creation())
            assert shim.calls["ShutdownSandbox"] == 1
            assert list(here.pods.bundles.all()) == []
            assert not here.pods.has("ns", "pod")
            del shim.fail["CreateSandbox"]
            await here.sandbox_creator.create("ns", creation())
            here.close()

    asyncio.run(run())


def test_a_shim_without_sandboxes_is_told_to_go(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods(sandboxes=None, shared=False)
        async with here.shim as shim:
            with pytest.raises(errors.Unimplemented):
                await here.sandbox_creator.create("ns", creation())
            assert shim.calls["Shutdown"] == 1
            assert list(here.pods.bundles.all()) == []
            here.close()

    asyncio.run(run())


def test_unknown_runtimes_are_refused_before_anything_is_made(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        with pytest.raises(errors.NotFound):
            await here.sandbox_creator.create("ns", creation(runtime="io.containerd.none.v1"))
        with pytest.raises(errors.InvalidArgument):
            await here.sandbox_creator.create("ns", creation(runtime=""))
        assert list(here.pods.bundles.all()) == []
        here.close()

    asyncio.run(run())


def test_a_caller_that_leaves_finds_nothing_left(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim as shim:
            shim.hang.add("PingSandbox")
            making = asyncio.create_task(here.sandbox_creator.create("ns", creation()))
            while not shim.calls["CreateSandbox"]:
                await asyncio.sleep(0)
            making.cancel()
            with pytest.raises(asyncio.CancelledError):
                await making
            async with asyncio.timeout(10):
                while list(here.pods.bundles.all()) or here.pods.has("ns", "pod"):
                    await asyncio.sleep(0.01)
            assert shim.sandboxes == {}
            here.close()

    asyncio.run(run())
