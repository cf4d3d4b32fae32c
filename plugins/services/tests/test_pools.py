"""Pools, and lanes on them under cancellation."""

import asyncio
import threading
from typing import Any

import pytest

from moorage_sdk import callers, errors
from moorage_services.pools import Lane, Pool, Pools


class Resource:
    """Counts how it is used; ``hold`` keeps a use on its thread until it is set."""

    def __init__(self) -> None:
        self.closed = 0
        self.busy = False
        self.overlaps = 0
        self.hold = threading.Event()
        self.entered = threading.Event()

    def work(self, value: int) -> int:
        self.overlaps += self.busy
        self.busy = True
        self.entered.set()
        self.hold.wait(10)
        self.busy = False
        return value + 1

    def close(self) -> None:
        self.overlaps += self.busy
        self.closed += 1


def test_run_returns_and_raises(pool: Pool) -> None:
    async def run() -> None:
        assert await pool.run(sorted, [2, 1], reverse=True) == [2, 1]
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 // 0)

    asyncio.run(run())


def test_work_is_bounded() -> None:
    pool, running, peak, guard = Pool("bound", 2), 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, peak
        with guard:
            running += 1
            peak = max(peak, running)
        threading.Event().wait(0.01)
        with guard:
            running -= 1

    async def run() -> None:
        await asyncio.gather(*(pool.run(work) for _ in range(10)))

    asyncio.run(run())
    pool.close()
    assert peak == 2


def test_a_lane_closes_once_after_use(pool: Pool) -> None:
    resource = Resource()
    resource.hold.set()

    async def run() -> None:
        async with Lane(pool, lambda: resource) as lane:
            assert await lane.use(Resource.work, 1) == 2
            assert resource.closed == 0
        assert resource.closed == 1

    asyncio.run(run())


def test_a_lane_closes_when_its_user_fails(pool: Pool) -> None:
    resource = Resource()

    async def run() -> None:
        with pytest.raises(KeyError):
            async with Lane(pool, lambda: resource):
                raise KeyError
        assert resource.closed == 1

    asyncio.run(run())


def test_what_was_not_opened_is_not_closed(pool: Pool) -> None:
    def refuse() -> Resource:
        raise OSError("no")

    async def run() -> None:
        with pytest.raises(OSError, match="no"):
            async with Lane(pool, refuse):
                pytest.fail("entered")

    asyncio.run(run())


def test_a_lane_cancelled_in_use_closes_after_the_use_has_ended(pool: Pool) -> None:
    resource = Resource()

    async def use() -> None:
        async with Lane(pool, lambda: resource) as lane:
            await lane.use(Resource.work, 1)

    async def run() -> None:
        task = asyncio.create_task(use())
        await asyncio.to_thread(resource.entered.wait, 10)
        task.cancel()
        await asyncio.sleep(0.02)
        assert resource.closed == 0
        resource.hold.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (resource.closed, resource.overlaps) == (1, 0)

    asyncio.run(run())


def test_a_lane_cancelled_while_opening_closes_what_comes_of_it(pool: Pool) -> None:
    resource, opening = Resource(), threading.Event()

    def open() -> Resource:
        opening.set()
        resource.hold.wait(10)
        return resource

    async def use() -> None:
        async with Lane(pool, open):
            pytest.fail("entered")

    async def run() -> None:
        task = asyncio.create_task(use())
        await asyncio.to_thread(opening.wait, 10)
        task.cancel()
        await asyncio.sleep(0.02)
        resource.hold.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert resource.closed == 1

    asyncio.run(run())


def test_a_lane_is_used_inside_its_block_only(pool: Pool) -> None:
    lane: Lane[Any] = Lane(pool, Resource)
    with pytest.raises(RuntimeError):
        asyncio.run(lane.use(Resource.work, 1))


def test_names_do_not_share_their_threads() -> None:
    pools, release = Pools("test", 1), threading.Event()
    try:
        hanging = pools.named("a").submit(release.wait)
        assert pools.named("b").submit(lambda: 1).result(30) == 1
        assert pools.named("a") is pools.named("a")
        assert not hanging.done()
    finally:
        release.set()
        pools.close()


@pytest.mark.parametrize("opening", [True, False])
def test_a_lane_tells_what_it_waits_for_that_the_caller_has_gone(pool: Pool, opening: bool) -> None:
    entered, gone = threading.Event(), threading.Event()

    def hang(*arguments: Any) -> Any:
        caller = callers.current()
        assert caller is not None
        with caller.watched(gone.set):
            entered.set()
            assert gone.wait(30)
        raise errors.Cancelled("given up")

    async def work() -> None:
        callers.CURRENT.set(callers.Caller())
        async with Lane(pool, hang if opening else Resource) as lane:
            await lane.use(hang)

    async def run() -> None:
        working = asyncio.create_task(work())
        while not entered.is_set():
            await asyncio.sleep(0.01)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(working, 60)

    asyncio.run(run())
    assert gone.is_set()
