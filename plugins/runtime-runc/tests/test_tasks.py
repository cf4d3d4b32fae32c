from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors


def test_names_and_namespaces(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle = node.bundle()
        await node.create(bundle)
        with pytest.raises(errors.AlreadyExists):
            await node.create(bundle)
        with pytest.raises(errors.FailedPrecondition, match="namespace is required"):
            await node.call("State", namespace="")
        with pytest.raises(errors.NotFound):
            await node.call("State", namespace="other")
        with pytest.raises(errors.InvalidArgument):
            await node.create(bundle, "../evil")
        with pytest.raises(errors.InvalidArgument, match="absolute"):
            await node.create(Path("relative"), "d")
        connected = await node.call("Connect")
        assert connected.shim_pid == node.process.pid
        assert connected.task_pid == (await node.call("State")).pid
        assert (await node.call("Connect", "unknown")).task_pid == 0
        await node.call("Delete")

    scenario(body)


def test_many_short_ones_announce_their_start_first(scenario: Any) -> None:
    async def body(node: Any) -> None:
        async def one(id: str) -> None:
            assert (await node.run(node.bundle("true", name=id), id)).exit_status == 0

        await asyncio.gather(*(one(f"c{number}") for number in range(12)))
        for number in range(12):
            await node.until_event("TaskDelete", container_id=f"c{number}")
            of_this = [event.DESCRIPTOR.name for event in node.events if event.container_id == f"c{number}"]
            assert of_this == ["TaskCreate", "TaskStart", "TaskExit", "TaskDelete"]

    scenario(body)
