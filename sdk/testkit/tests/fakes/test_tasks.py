"""The task manager without processes."""

import asyncio

import pytest

from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.tasks import Creation, Status, Stdio
from moorage_testkit.fakes.tasks import MemoryTasks


def test_states_and_errors_are_those_of_the_slot() -> None:
    async def run() -> None:
        tasks, creation = MemoryTasks(), Creation("web", "r", b"{}")
        pid = await tasks.create("ns", creation)
        assert tasks.creation("ns", "web") is creation
        with pytest.raises(errors.AlreadyExists):
            await tasks.create("ns", creation)
        assert await tasks.start("ns", "web") == pid
        with pytest.raises(errors.FailedPrecondition):
            await tasks.start("ns", "web")
        with pytest.raises(errors.FailedPrecondition):
            await tasks.delete("ns", "web")
        await tasks.pause("ns", "web")
        assert (await tasks.list("ns"))[0].status == Status.PAUSED
        await tasks.resume("ns", "web")
        await tasks.kill("ns", "web", 9)
        assert (await tasks.wait("ns", "web")).status == 137
        with pytest.raises(errors.NotFound):
            await tasks.kill("ns", "web", 9)
        assert (await tasks.delete("ns", "web")).status == 137
        with pytest.raises(errors.NotFound):
            await tasks.get("ns", "web")
        assert await tasks.list("ns") == []

    asyncio.run(run())


def test_execs_have_a_life_of_their_own() -> None:
    async def run() -> None:
        tasks = MemoryTasks()
        await tasks.create("ns", Creation("web", "r", b"{}"))
        await tasks.exec("ns", "web", "e", Payload("p", b""), Stdio())
        with pytest.raises(errors.AlreadyExists):
            await tasks.exec("ns", "web", "e", Payload("p", b""), Stdio())
        assert [each.details is not None for each in await tasks.pids("ns", "web")] == [False, True]
        tasks.exit("ns", "web", "e", 3)
        assert (await tasks.delete_process("ns", "web", "e")).status == 3
        assert (await tasks.get("ns", "web")).status == Status.CREATED

    asyncio.run(run())
