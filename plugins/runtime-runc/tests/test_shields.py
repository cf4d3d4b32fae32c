from __future__ import annotations

import asyncio
from typing import Any

import pytest

from moorage_runtime_runc import shields
from moorage_sdk import errors


def test_work_outlives_its_caller() -> None:
    async def main() -> None:
        done: list[str] = []

        async def work() -> str:
            await asyncio.sleep(0.1)
            done.append("yes")
            return "result"

        assert await shields.to_the_end(work()) == "result"
        caller = asyncio.create_task(shields.to_the_end(work()))
        await asyncio.sleep(0.02)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert not await shields.settled(0.01)
        assert await shields.settled(5) and done == ["yes", "yes"]

    asyncio.run(main())


def test_errors_reach_the_caller_and_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async def work() -> None:
            await asyncio.sleep(0.01)
            raise errors.NotFound("x")

        with pytest.raises(errors.NotFound):
            await shields.to_the_end(work())
        caller = asyncio.create_task(shields.to_the_end(work()))
        await asyncio.sleep(0)
        caller.cancel()
        assert await shields.settled(5)

    asyncio.run(main())
    assert "never retrieved" not in caplog.text


SLOW = '#!/bin/sh\nfor word; do [ "$word" = start ] && sleep 0.6; done\nexec runc "$@"\n'


def test_a_start_goes_on_when_the_daemon_dies_and_when_the_monitor_is_stopped(scenario: Any) -> None:
    async def body(node: Any) -> None:
        program = node.folder / "slow"
        program.write_text(SLOW)
        program.chmod(0o755)
        node.binary = str(program)
        for id in ("c", "d"):
            await node.create(node.bundle(name=id), id)
        starting = asyncio.create_task(node.call("Start"))
        await asyncio.sleep(0.2)
        await (await node.client()).close()
        with pytest.raises(errors.Unavailable):
            await starting
        await node.until_event("TaskStart", container_id="c")
        assert await node.status() == "RUNNING"

        starting = asyncio.create_task(node.call("Start", "d"))
        await asyncio.sleep(0.2)
        client = await node.client()
        assert await asyncio.to_thread(node.stop) == 0
        with pytest.raises(errors.Unavailable):
            await starting
        await client.close()
        node.start()
        assert await node.status("d") == "RUNNING"
        await node.until_event("TaskStart", container_id="d")
        for id in ("c", "d"):
            await node.call("Kill", id, signal=9)
            await node.call("Wait", id)
            await node.call("Delete", id)

    scenario(body)


def test_work_that_must_be_over_before_its_caller_goes_on() -> None:
    async def main() -> None:
        done: list[str] = []

        async def work(word: str) -> str:
            await asyncio.sleep(0.1)
            done.append(word)
            if word == "bad":
                raise errors.NotFound(word)
            return word

        assert await shields.uninterrupted(work("good")) == "good"
        with pytest.raises(errors.NotFound):
            await shields.uninterrupted(work("bad"))
        for word in ("good", "bad"):
            caller = asyncio.create_task(shields.uninterrupted(work(word)))
            for _ in range(2):
                await asyncio.sleep(0.02)
                caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
        assert done == ["good", "bad"] * 2

    asyncio.run(main())
