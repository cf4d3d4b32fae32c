"""A task between its callers and its shim."""

import asyncio
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle, Exit, Status, Stdio
from moorage_tasks_shim.carriers import PluginCarrier
from moorage_tasks_shim.records import Record
from moorage_tasks_shim.shims import Link, Links
from moorage_tasks_shim.tasks import Task
from moorage_testkit.fakes.shims import Shim, ShimRuntime


async def nobody(link: Link) -> None:
    return


async def created(shim: Shim) -> tuple[Task, Links]:
    links = Links(nobody)
    task = Task(Bundle("/b", "ns", "web"), Record("x", Stdio(stdout="/out")), PluginCarrier(ShimRuntime(shim)))
    task.attach(await links.take(Endpoint(str(shim.path))))
    await task.call("Create", stdout="/out")
    return task, links


def test_state_is_translated(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s") as shim:
            task, links = await created(shim)
            process = await task.state("", 5)
            assert (process.container_id, process.exec_id, process.status) == ("web", "", Status.CREATED)
            assert (process.stdio.stdout, process.exited_at) == ("/out", 0)
            shim.exit("ns", "web", status=3)
            process = await task.state("", 5)
            assert (process.status, process.exit_status) == (Status.STOPPED, 3)
            assert process.exited_at > 0
            links.abandon()

    asyncio.run(run())


def test_a_shim_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s") as shim:
            task, links = await created(shim)
            shim.hang.add("State")
            with pytest.raises(errors.DeadlineExceeded):
                await task.state("", 0.05)
            assert task.unknown().status == Status.UNKNOWN
            assert task.unknown().stdio.stdout == "/out"
            links.abandon()

    asyncio.run(run())


def test_many_waits_are_one_call_and_each_may_be_cancelled(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s") as shim:
            task, links = await created(shim)
            waits = [asyncio.create_task(task.wait("")) for _ in range(50)]
            await asyncio.sleep(0.05)
            waits[0].cancel()
            shim.exit("ns", "web", status=5)
            exits = await asyncio.gather(*waits[1:])
            assert {each.status for each in exits} == {5}
            assert shim.calls["Wait"] == 1
            assert (await task.wait("")).status == 5
            links.abandon()

    asyncio.run(run())


def test_a_failed_wait_is_asked_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s") as shim:
            task, links = await created(shim)
            with pytest.raises(errors.NotFound):
                await task.wait("later")
            await task.call("Exec", exec_id="later")
            shim.exit("ns", "web", "later", status=1)
            assert (await task.wait("later")).status == 1
            assert (await task.wait("later")).id == "later"
            links.abandon()

    asyncio.run(run())


def test_an_exec_id_used_again_is_waited_for_anew(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s") as shim:
            task, links = await created(shim)
            for status in (1, 2):
                await task.call("Exec", exec_id="e")
                shim.exit("ns", "web", "e", status=status)
                assert (await task.wait("e")).status == status
                await task.call("Delete", exec_id="e")
                task.forget("e")
            links.abandon()

    asyncio.run(run())


def test_a_wait_lives_through_a_new_shim(tmp_path: Path) -> None:
    async def run() -> None:
        shim = Shim(tmp_path / "s")
        await shim.start()
        task, links = await created(shim)
        wait = asyncio.create_task(task.wait(""))
        await asyncio.sleep(0.05)
        await shim.stop()
        await asyncio.sleep(0.05)
        task.attach(None)
        with pytest.raises(errors.Unavailable, match="looked for"):
            await task.call("Kill", signal=9)
        async with shim:
            task.attach(await links.take(Endpoint(str(shim.path))))
            await asyncio.sleep(0.05)
            shim.exit("ns", "web", status=7)
            assert (await asyncio.wait_for(wait, 10)).status == 7
            links.abandon()

    asyncio.run(run())


def test_a_dead_shim_ends_the_wait_for_init_and_nothing_else_is_found(tmp_path: Path) -> None:
    async def run() -> None:
        shim = Shim(tmp_path / "s")
        await shim.start()
        task, _ = await created(shim)
        await task.call("Exec", exec_id="e")
        waits = [asyncio.create_task(task.wait(each)) for each in ("", "e")]
        await asyncio.sleep(0.05)
        await shim.stop()
        task.end(Exit(255, 1, id="web"))
        assert (await asyncio.wait_for(waits[0], 10)).status == 255
        with pytest.raises(errors.NotFound):
            await asyncio.wait_for(waits[1], 10)
        with pytest.raises(errors.NotFound, match='task "web" in namespace "ns"'):
            await task.state("", 5)

    asyncio.run(run())
