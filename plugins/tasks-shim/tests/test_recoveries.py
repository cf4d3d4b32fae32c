"""Shims and daemons that come and go."""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moorage_api.messages import events
from moorage_sdk import errors
from moorage_sdk.containers import Runtime
from moorage_sdk.mounts import Mount
from moorage_sdk.sandboxes import Creation as SandboxCreation
from moorage_sdk.sandboxes import Sandbox
from moorage_sdk.tasks import Creation, Status
from moorage_tasks_shim.bundles import Bundles
from moorage_testkit.fakes.activations import MemoryMountManager
from moorage_testkit.fakes.grpc_shims import GrpcShim
from moorage_testkit.fakes.shims import ShimRuntime

SPEC = b'{"ociVersion": "1.0.2"}'
RUNTIME = "io.containerd.runc.v2"


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def populate(here: Any, *ids: str) -> None:
    for id in ids:
        await here.manager.create("ns", Creation(id, RUNTIME, SPEC))


def test_the_next_daemon_finds_the_tasks_again(house: Callable[..., Any]) -> None:
    async def run() -> None:
        first = house()
        async with first.shim as shim:
            await populate(first, "a", "b")
            await first.manager.start("ns", "b")
            first.registry.close()
            second = first.again()
            states = {each.container_id: each.status for each in await second.manager.list("ns")}
            assert states == {"a": Status.CREATED, "b": Status.RUNNING}
            wait = asyncio.create_task(second.manager.wait("ns", "b"))
            await asyncio.sleep(0.05)
            shim.exit("ns", "b", status=4)
            assert (await wait).status == 4
            assert second.topics == []
            second.registry.close()

    asyncio.run(run())


def test_the_log_of_a_shim_is_read_again_by_the_next_daemon(
    house: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever writes there would block for ever without a reader."""

    async def run() -> None:
        first = house()
        async with first.shim:
            await populate(first, "a")
            path = Path(first.bundles.bundle("ns", "a").path, "log")
            first.registry.close()
            with pytest.raises(OSError, match="No such device or address"):
                os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            second = first.again()
            await second.recovery.loaded()
            writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            os.write(writer, b"still here\n")
            os.close(writer)
            await until(lambda: "ns/a: still here" in caplog.messages)
            second.registry.close()

    with caplog.at_level(logging.INFO, "moorage.shim"):
        asyncio.run(run())


def test_the_next_daemon_finds_tasks_behind_grpc(house: Callable[..., Any], tmp_path: Path) -> None:
    async def run() -> None:
        shim = GrpcShim(tmp_path / "shim.sock")
        runtime = ShimRuntime(shim)
        runtime.found = runtime.endpoint = replace(runtime.endpoint, protocol="grpc", shared=False)
        first = house(shim, runtime)
        async with shim:
            await populate(first, "a")
            await first.manager.start("ns", "a")
            first.registry.close()
            await asyncio.sleep(0)
            second = first.again()
            assert [each.status for each in await second.manager.list("ns")] == [Status.RUNNING]
            wait = asyncio.create_task(second.manager.wait("ns", "a"))
            await until(lambda: shim.calls["Wait"])
            shim.exit("ns", "a", status=4)
            assert (await wait).status == 4
            assert (await second.manager.delete("ns", "a")).status == 4
            assert shim.calls["Shutdown"] == 1
            second.registry.close()

    asyncio.run(run())


def test_tasks_whose_shim_is_gone_are_told_of_and_cleared(house: Callable[..., Any]) -> None:
    async def run() -> None:
        first = house()
        async with first.shim:
            await populate(first, "a", "b")
            first.registry.close()
        second = first.again()
        second.runtime.found = None
        assert await second.manager.list("ns") == []
        assert sorted(second.topics) == ["/tasks/delete"] * 2 + ["/tasks/exit"] * 2
        exited = events.TaskExit.FromString(second.exchange.log[0].event.value)
        assert exited.exit_status == 255
        assert sorted(each.id for each in second.runtime.cleaned) == ["a", "b"]
        assert list(second.bundles.all()) == []
        second.registry.close()

    asyncio.run(run())


def test_a_shim_that_no_longer_knows_the_task_counts_as_dead(house: Callable[..., Any]) -> None:
    async def run() -> None:
        first = house()
        async with first.shim as shim:
            await populate(first, "a", "b")
            first.registry.close()
            del shim.tasks["ns", "a", ""]
            second = first.again()
            assert [each.container_id for each in await second.manager.list("ns")] == ["b"]
            assert second.topics == ["/tasks/exit", "/tasks/delete"]
            second.registry.close()

    asyncio.run(run())


def test_bundles_without_a_record_are_cleared(house: Callable[..., Any]) -> None:
    async def run() -> None:
        first = house()
        first.bundles.create("ns", "orphan", SPEC)
        (first.bundles.root / "ns" / "rebooted").mkdir()
        assert await first.manager.list("ns") == []
        assert list(first.bundles.all()) == []
        assert list((first.bundles.root / "ns").iterdir()) == []
        assert [each.id for each in first.runtime.cleaned] == ["orphan"]
        first.registry.close()

    asyncio.run(run())


def test_a_lost_connection_is_made_anew_and_waits_go_on(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        await here.shim.start()
        await populate(here, "a")
        wait = asyncio.create_task(here.manager.wait("ns", "a"))
        await asyncio.sleep(0.05)
        await here.shim.stop()
        await until(lambda: here.registry.get("ns", "a").link is None)
        async with here.shim as shim:
            await until(lambda: here.registry.get("ns", "a").link)
            await until(lambda: shim.calls["Wait"] == 2)
            shim.exit("ns", "a", status=9)
            assert (await asyncio.wait_for(wait, 10)).status == 9
            assert here.topics == []
            here.registry.close()

    asyncio.run(run())


def test_a_shim_known_to_be_dead_is_buried_and_the_wait_for_init_ends(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        await here.shim.start()
        await populate(here, "a")
        wait = asyncio.create_task(here.manager.wait("ns", "a"))
        await asyncio.sleep(0.05)
        here.runtime.found = None
        await here.shim.stop()
        assert (await asyncio.wait_for(wait, 10)).status == 255
        await until(lambda: not list(here.bundles.all()))
        assert here.topics == ["/tasks/exit", "/tasks/delete"]
        with pytest.raises(errors.NotFound):
            await here.manager.get("ns", "a")
        here.registry.close()

    asyncio.run(run())


def test_a_carrier_that_cannot_say_is_asked_again_and_nobody_is_killed(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        await here.shim.start()
        await populate(here, "a")
        here.runtime.found = errors.Unavailable("monitor: restarting")
        await here.shim.stop()
        await until(lambda: here.registry.get("ns", "a").link is None)
        assert [each.status for each in await here.manager.list("ns")] == [Status.UNKNOWN]
        with pytest.raises(errors.Unavailable):
            await here.manager.kill("ns", "a", 9)
        async with here.shim:
            here.runtime.found = here.runtime.endpoint
            await until(lambda: here.registry.get("ns", "a").link)
            assert here.runtime.cleaned == []
            assert here.topics == []
            here.registry.close()

    asyncio.run(run())


def test_one_shim_that_hangs_does_not_hold_up_the_others_at_start(house: Callable[..., Any], tmp_path: Path) -> None:
    async def run() -> None:
        first = house()
        async with first.shim as shim:
            await populate(first, "a")
            first.registry.close()
            shim.hang.add("State")
            second = first.again()
            await asyncio.wait_for(second.recovery.loaded(), 5)
            assert second.registry.has("ns", "a")
            shim.hang.clear()
            await until(lambda: second.registry.get("ns", "a").link)
            second.registry.close()

    asyncio.run(run())


def test_what_cannot_be_tidied_up_keeps_nobody_from_their_tasks(
    house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(bundles: Bundles, alive: frozenset[tuple[str, str]]) -> None:
        raise errors.FailedPrecondition("directory: holds a mount point")

    async def run() -> None:
        first = house()
        async with first.shim:
            await populate(first, "a")
            first.registry.close()
            monkeypatch.setattr(Bundles, "tidy", refuse)
            second = first.again()
            assert [each.container_id for each in await second.manager.list("ns")] == ["a"]
            second.registry.close()

    asyncio.run(run())
    assert "holds a mount point" in caplog.text


def test_a_delete_that_lost_its_shim_can_be_repeated(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        await here.shim.start()
        await populate(here, "a")
        here.shim.hang.add("Delete")
        deleting = asyncio.create_task(here.manager.delete("ns", "a"))
        await until(lambda: here.shim.calls["Delete"])
        await here.shim.stop()
        with pytest.raises(errors.Unavailable):
            await deleting
        here.shim.hang.clear()
        async with here.shim:
            await until(lambda: here.registry.get("ns", "a").link)
            await here.manager.delete("ns", "a")
            assert list(here.bundles.all()) == []
            here.registry.close()

    asyncio.run(run())


def test_a_runtime_that_breaks_its_contract_kills_nobody(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        await here.shim.start()
        await populate(here, "a")
        here.runtime.found = ZeroDivisionError()
        await here.shim.stop()
        await until(lambda: here.registry.get("ns", "a").link is None)
        async with here.shim:
            here.runtime.found = here.runtime.endpoint
            await until(lambda: here.registry.get("ns", "a").link)
            assert here.runtime.cleaned == []
            here.registry.close()

    asyncio.run(run())


def test_mounts_of_a_task_whose_shim_is_gone_are_undone(house: Callable[..., Any]) -> None:
    async def run() -> None:
        manager = MemoryMountManager()
        first = house(manager=manager)
        async with first.shim:
            rootfs = (Mount("loop", "/disk"), Mount("format/ext4", "{{ mount 0 }}"))
            await first.manager.create("ns", Creation("a", RUNTIME, SPEC, rootfs=rootfs))
            assert list(manager.activations) == [("ns", "a")]
            first.registry.close()
        second = first.again()
        second.runtime.found = None
        assert await second.manager.list("ns") == []
        await until(lambda: not manager.activations)
        second.registry.close()

    asyncio.run(run())


def test_tasks_are_not_known_before_the_sandboxes_are(pods: Callable[..., Any]) -> None:
    """Or the end of the last container would take the shim from a sandbox that nobody has looked for yet."""

    async def run() -> None:
        first = pods(shared=False)
        async with first.shim as shim:
            await first.controller.create("ns", SandboxCreation(Sandbox("pod", Runtime(RUNTIME))))
            await populate(first, "web")
            first.close()
            second = first.again()
            await second.manager.delete("ns", "web")
            assert second.pods.has("ns", "pod")
            assert shim.calls["Shutdown"] == 0
            second.close()

    asyncio.run(run())


def test_a_bundle_that_says_nothing_is_no_reason_to_kill_its_namesake(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        for bundles in (here.pods.bundles, here.bundles):
            bundles.create("ns", "x", SPEC)
        await here.manager.list("ns")
        assert [bundle.path for bundle in here.runtime.cleaned] == [here.bundles.bundle("ns", "x").path]
        assert list(here.pods.bundles.all()) == list(here.bundles.all()) == []
        here.close()

    asyncio.run(run())
