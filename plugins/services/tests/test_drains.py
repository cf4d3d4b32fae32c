"""Waiting, and the daemon's end."""

import asyncio
from importlib import metadata as installed

import pytest

from moorage_sdk import errors
from moorage_services import drains
from moorage_services.drains import Drain


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


def test_results_and_errors_come_through() -> None:
    async def five() -> int:
        return 5

    async def fail() -> None:
        raise errors.NotFound("x")

    async def run() -> None:
        drain = Drain()
        assert await drain.wait(five()) == 5
        with pytest.raises(errors.NotFound):
            await drain.wait(fail())

    asyncio.run(run())


def test_who_waits_when_the_daemon_stops_is_told_and_who_comes_later_too() -> None:
    async def run() -> None:
        drain = Drain()
        waiting = [asyncio.create_task(drain.wait(forever())) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        drain.stop()
        for each in waiting:
            with pytest.raises(errors.Unavailable, match="stopping"):
                await each
        with pytest.raises(errors.Unavailable):
            await drain.wait(forever())

    asyncio.run(run())


def test_a_caller_that_goes_away_is_cancelled_and_so_is_its_work() -> None:
    ended: list[bool] = []

    async def work() -> None:
        try:
            await forever()
        finally:
            ended.append(True)

    async def run() -> None:
        drain = Drain()
        waiting = asyncio.create_task(drain.wait(work()))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0)
        assert ended == [True]

    asyncio.run(run())


def test_the_daemon_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drains, "DRAIN", Drain())
    (entry,) = installed.entry_points(group="moorage.hooks", name="drains")
    entry.load().daemon_stopping()
    assert drains.DRAIN._stopping
