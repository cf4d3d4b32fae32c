"""A sandbox between its callers and its shim."""

import asyncio
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle, Exit
from moorage_tasks_shim.binaries import Binary
from moorage_tasks_shim.bootstraps import Daemon
from moorage_tasks_shim.carriers import BinaryCarrier, PluginCarrier
from moorage_tasks_shim.records import Record
from moorage_tasks_shim.sandboxes import Sandbox
from moorage_tasks_shim.shims import Links
from moorage_testkit.fakes.shims import Shim, ShimRuntime

BUNDLE = Bundle("/b", "ns", "pod")


async def created(shim: Shim) -> tuple[Sandbox, Links]:
    links = Links()
    sandbox = Sandbox(BUNDLE, Record("x"), PluginCarrier(ShimRuntime(shim)))
    sandbox.attach(await links.take(Endpoint(str(shim.path))))
    await sandbox.call("CreateSandbox", netns_path="/n")
    return sandbox, links


def test_where_its_containers_go(tmp_path: Path) -> None:
    carrier = PluginCarrier(ShimRuntime(Shim(tmp_path / "s")))
    sandbox = Sandbox(BUNDLE, Record("x", endpoint=Endpoint("/run/x.sock", 3)), carrier)
    assert (sandbox.address, sandbox.version) == ("ttrpc+unix:///run/x.sock", 3)
    bare = Sandbox(BUNDLE, Record("x"), carrier)
    assert (bare.address, bare.version) == ("", 0)


def test_calls_name_the_sandbox_and_waits_end_with_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s", sandboxes={}) as shim:
            sandbox, links = await created(shim)
            assert shim.sandboxes is not None
            assert shim.sandboxes["ns", "pod"].request.netns_path == "/n"
            waits = [asyncio.create_task(sandbox.wait()) for _ in range(3)]
            await asyncio.sleep(0.05)
            waits[0].cancel()
            shim.end_sandbox("ns", "pod", 4)
            assert [(await wait).status for wait in waits[1:]] == [4, 4]
            assert shim.calls["WaitSandbox"] == 1
            links.abandon()

    asyncio.run(run())


def test_how_it_ended_is_unknown_when_its_shim_is_dead(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s", sandboxes={}) as shim:
            sandbox, links = await created(shim)
            waiting = asyncio.create_task(sandbox.wait())
            await asyncio.sleep(0.05)
            await shim.stop()
            sandbox.attach(None)
            sandbox.end(Exit(255, 1))
            with pytest.raises(errors.Error, match="its shim is dead") as raised:
                await waiting
            assert type(raised.value) is errors.Error
            links.abandon()

    asyncio.run(run())


def test_a_shim_is_greeted_and_need_not_know_how_to_answer(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s", sandboxes={}) as shim:
            sandbox, links = await created(shim)
            assert sandbox.link is not None
            await sandbox.greet(sandbox.link)
            shim.fail["PingSandbox"] = errors.Unimplemented("no")
            await sandbox.greet(sandbox.link)
            shim.fail["PingSandbox"] = errors.NotFound("no")
            with pytest.raises(errors.NotFound):
                await sandbox.greet(sandbox.link)
            links.abandon()

    asyncio.run(run())


def test_a_plugin_is_not_asked_to_clear_up_what_may_be_a_namesake(tmp_path: Path) -> None:
    async def run() -> None:
        runtime = ShimRuntime(Shim(tmp_path / "s"))
        sandbox = Sandbox(BUNDLE, Record("x"), PluginCarrier(runtime))
        assert (await sandbox.clean_up()).status == 255
        assert runtime.cleaned == []
        assert await sandbox.find() == runtime.endpoint

    asyncio.run(run())


def test_a_binary_clears_up_and_is_found_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "containerd-shim-x-v1"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    endpoint = Endpoint("/run/x.sock", 3)
    carrier = BinaryCarrier(Binary(path, Daemon("", "", "", "")))
    sandbox = Sandbox(Bundle(str(tmp_path), "ns", "pod"), Record("x", endpoint=endpoint), carrier)
    assert asyncio.run(sandbox.clean_up()).id == "pod"
    assert asyncio.run(sandbox.find()) == endpoint
