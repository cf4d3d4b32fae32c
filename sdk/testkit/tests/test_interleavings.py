from __future__ import annotations

import asyncio

import pytest

from moorage_testkit import interleavings


async def _two(steps: int = 3) -> str:
    said: list[str] = []

    async def one(name: str) -> None:
        for _ in range(steps):
            said.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(one("a"), one("b"))
    return "".join(said)


def test_seeds_show_every_order_and_each_shows_it_again() -> None:
    seen = [interleavings.run(_two, seed) for seed in range(300)]
    assert len(set(seen)) == 20  # all ways to merge three steps with three
    assert seen == [interleavings.run(_two, seed) for seed in range(300)]


def test_time_passes_by_itself_and_in_order() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        times: list[float] = []

        async def after(seconds: float) -> None:
            await asyncio.sleep(seconds)
            times.append(loop.time())

        await asyncio.gather(after(3600), after(1), after(60))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 5)
        return [*times, loop.time()]

    assert interleavings.run(main, 1) == [1, 60, 3600, 3605]


def test_who_waits_for_ever_is_shown() -> None:
    async def waits_in_vain() -> None:
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match=r"seed 7: nobody can go on(.|\n)*waits_in_vain"):
        interleavings.run(waits_in_vain, 7)


def test_what_is_left_behind_is_shown() -> None:
    async def lingers() -> None:
        await asyncio.sleep(100)

    async def main() -> None:
        main.task = asyncio.create_task(lingers())  # type: ignore[attr-defined]

    with pytest.raises(AssertionError, match=r"left behind(.|\n)*lingers"):
        interleavings.run(main, 0)


def test_an_error_comes_through() -> None:
    async def main() -> None:
        await asyncio.sleep(0)
        raise ValueError("so")

    with pytest.raises(ValueError, match="so"):
        interleavings.run(main, 0)


def test_what_goes_to_a_thread_is_done_in_its_turn() -> None:
    def divide(by: int) -> float:
        return 1 / by

    async def main() -> None:
        assert await asyncio.to_thread(divide, 2) == 0.5
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divide, 0)
        asyncio.get_running_loop().run_in_executor(None, divide, 0).cancel()

    interleavings.run(main, 3)
