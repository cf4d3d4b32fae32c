"""What tasks and sandboxes have in common."""

import asyncio
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle, Exit
from moorage_tasks_shim.carriers import PluginCarrier
from moorage_tasks_shim.records import Record
from moorage_tasks_shim.residents import Resident, Waits
from moorage_tasks_shim.sandboxes import Sandbox
from moorage_tasks_shim.shims import Links
from moorage_tasks_shim.tasks import Task
from moorage_testkit.fakes.shims import Shim, ShimRuntime


def made(kind: type[Task] | type[Sandbox], shim: Shim) -> Resident:
    return kind(Bundle("/b", "ns", "x"), Record("r"), PluginCarrier(ShimRuntime(shim)))


@pytest.mark.parametrize("kind", [Task, Sandbox])
def test_without_a_shim_there_is_no_answer_and_with_a_dead_one_nothing(
    tmp_path: Path, kind: type[Task] | type[Sandbox]
) -> None:
    async def run() -> None:
        resident = made(kind, Shim(tmp_path / "s"))
        with pytest.raises(errors.Unavailable, match=f'{kind.kind} "x" in namespace "ns": its shim is being looked'):
            await resident.call("Anything")
        waiting = asyncio.create_task(resident.ask("Anything"))
        await asyncio.sleep(0)
        resident.end(Exit(255, 1))
        with pytest.raises(errors.NotFound, match=f'{kind.kind} "x" in namespace "ns": not found'):
            await waiting

    asyncio.run(run())


def test_what_may_be_asked_twice_is_asked_the_next_shim(tmp_path: Path) -> None:
    async def run() -> None:
        shim, links = Shim(tmp_path / "s", sandboxes={}, hang={"PingSandbox"}), Links()
        await shim.start()
        sandbox = made(Sandbox, shim)
        sandbox.attach(await links.take(Endpoint(str(shim.path))))
        await sandbox.call("CreateSandbox")
        asked = asyncio.create_task(sandbox.ask("PingSandbox"))
        while not shim.calls["PingSandbox"]:
            await asyncio.sleep(0.01)
        await shim.stop()
        shim.hang.clear()
        async with shim:
            await asyncio.sleep(0.05)
            assert not asked.done()
            sandbox.attach(await links.take(Endpoint(str(shim.path))))
            await asyncio.wait_for(asked, 10)
            links.abandon()

    asyncio.run(run())


def test_many_waits_are_one_and_a_failed_one_is_begun_again() -> None:
    async def run() -> None:
        waits, begun = Waits(), []
        ends: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

        async def wait() -> Exit:
            begun.append(1)
            if len(begun) == 1:
                raise errors.Unavailable("not now")
            return await ends

        with pytest.raises(errors.Unavailable):
            await waits.share("a", wait)
        first, second = (asyncio.create_task(waits.share("a", wait)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        ends.set_result(Exit(3, 1))
        assert (await second).status == 3
        assert len(begun) == 2
        await waits.share("a", wait)  # the process of that name may be another one by now
        assert len(begun) == 3

    asyncio.run(run())


def test_a_wait_for_a_name_that_is_used_again() -> None:
    async def run() -> None:
        waits = Waits()
        ends = [asyncio.get_running_loop().create_future() for _ in range(2)]

        async def wait(number: int) -> Exit:
            return Exit(await ends[number], 1)

        first = asyncio.create_task(waits.share("a", lambda: wait(0)))
        await asyncio.sleep(0)
        waits.forget("a")
        second, third = (asyncio.create_task(waits.share("a", lambda: wait(1))) for _ in range(2))
        await asyncio.sleep(0)
        ends[0].set_result(7)
        assert (await first).status == 7
        fourth = asyncio.create_task(waits.share("a", lambda: wait(1)))
        await asyncio.sleep(0)
        ends[1].set_result(8)
        assert [(await each).status for each in (second, third, fourth)] == [8, 8, 8]

    asyncio.run(run())


@pytest.mark.parametrize("kind", [Task, Sandbox])
def test_whoever_still_holds_one_that_was_removed_finds_nothing(
    tmp_path: Path, kind: type[Task] | type[Sandbox]
) -> None:
    """A question was waited out for ever, as for a shim that is looked for; a call was told that it is."""

    async def run() -> None:
        resident = made(kind, Shim(tmp_path / "s"))
        waiting = asyncio.create_task(resident.ask("Anything"))
        await asyncio.sleep(0)
        resident.remove()
        for asked in (waiting, resident.ask("Anything"), resident.call("Anything")):
            with pytest.raises(errors.NotFound):
                await asyncio.wait_for(asked, 5)

    asyncio.run(run())
