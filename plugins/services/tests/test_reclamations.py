"""Memory is given back after a flood, once, and not while anything flows."""

from __future__ import annotations

import asyncio

import pytest

from moorage_services.pools import Pool
from moorage_services.reclamations import Reclamation

REST = 0.02


@pytest.mark.parametrize(("sizes", "times"), [((), 0), ((99,), 0), ((100,), 1), ((60, 60), 1), ((500, 500), 1)])
def test_a_flood_is_followed_by_an_reclaim(pool: Pool, sizes: tuple[int, ...], times: int) -> None:
    given: list[int] = []

    async def run() -> None:
        reclamation = Reclamation(pool, lambda: given.append(1), flood=100, rest=REST)
        for size in sizes:
            with reclamation.stream():
                reclamation.moved(size)
        await asyncio.sleep(10 * REST)

    asyncio.run(run())
    pool.submit(int).result()
    assert len(given) == times


def test_not_while_another_stream_flows(pool: Pool) -> None:
    given: list[int] = []

    async def run() -> None:
        reclamation = Reclamation(pool, lambda: given.append(1), flood=100, rest=REST)
        with reclamation.stream():
            with reclamation.stream():
                reclamation.moved(200)
            await asyncio.sleep(5 * REST)
            assert not given
        with reclamation.stream():
            await asyncio.sleep(5 * REST)
            assert not given
        await asyncio.sleep(10 * REST)

    asyncio.run(run())
    pool.submit(int).result()
    assert given == [1]


def test_a_closed_pool_is_no_error() -> None:
    async def run() -> None:
        closed = Pool("closed", 1)
        closed.close()
        reclamation = Reclamation(closed, lambda: None, flood=1, rest=0)
        with reclamation.stream():
            reclamation.moved(1)
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
        await asyncio.sleep(REST)
        assert not faults

    asyncio.run(run())
