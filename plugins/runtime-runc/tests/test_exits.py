from __future__ import annotations

import asyncio
from typing import Any

import pytest

from moorage_runtime_runc.exits import Exits
from moorage_runtime_runc.processes import Process
from moorage_runtime_runc.reapers import Ended
from moorage_sdk import errors
from moorage_sdk.tasks import Stdio


class Watch:
    def __init__(self) -> None:
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()


def test_inits_exit_waits_for_its_start_and_for_all_others() -> None:
    async def main() -> None:
        told: list[tuple[str, int]] = []
        init, other = Process("c", Stdio()), Process("e", Stdio())
        exits = Exits(init, lambda process, how: told.append((process.id, how.code)))
        order: list[str] = []

        async def first() -> None:
            order.append("first")

        init_watch: Any = Watch()
        other_watch: Any = Watch()
        init.starting = True
        exits.enter(other)
        exits.follow_exec(other, other_watch)
        exits.follow_init(init_watch, first)
        init_watch.ended.set_result(Ended(1, 0))
        await asyncio.sleep(0.01)
        assert told == [] and order == ["first"] and exits.init_gone and exits.telling
        with pytest.raises(errors.FailedPrecondition, match="init process is not running"):
            exits.enter(Process("f", Stdio()))
        init.starting = False
        await exits.changed()
        await asyncio.sleep(0.01)
        assert told == []
        other_watch.ended.set_result(Ended(2, 0))
        await asyncio.sleep(0.01)
        assert told == [("e", 2), ("c", 1)] and not exits.telling

    asyncio.run(main())


def test_an_exec_that_never_started_does_not_hold_up_init() -> None:
    async def main() -> None:
        told: list[str] = []
        init, other = Process("c", Stdio()), Process("e", Stdio())
        exits = Exits(init, lambda process, how: told.append(process.id))

        async def nothing() -> None:
            return None

        watch: Any = Watch()
        exits.enter(other)
        exits.follow_init(watch, nothing)
        watch.ended.set_result(Ended(0, 0))
        await asyncio.sleep(0.01)
        assert told == []
        await exits.leave(other)
        await asyncio.sleep(0.01)
        assert told == ["c"]
        await exits.close()

    asyncio.run(main())


def test_an_exit_is_told_whatever_comes_before_it() -> None:
    async def main() -> None:
        told: list[str] = []
        exits = Exits(Process("c", Stdio()), lambda process, how: told.append(process.id))

        async def first() -> None:
            raise OSError("disk full")

        watch: Any = Watch()
        exits.follow_init(watch, first)
        watch.ended.set_result(Ended(0, 0))
        await asyncio.sleep(0.01)
        assert told == ["c"]

    asyncio.run(main())
