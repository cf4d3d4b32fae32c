"""The connection to a shim that speaks gRPC."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from moorage_api.messages import shim_v3
from moorage_client.shims import ShimChannel
from moorage_sdk import errors
from moorage_testkit.fakes.grpc_shims import GrpcShim

TASK = "containerd.task.v3.Task"


def test_a_call_carries_its_namespace_and_its_time(tmp_path: Path) -> None:
    async def run() -> None:
        async with GrpcShim(tmp_path / "s") as shim:
            channel = ShimChannel(shim.path)
            await channel.ready()
            await channel.call(TASK, "Create", shim_v3.CreateTaskRequest(id="c"), namespace="ns")
            assert list(shim.tasks) == [("ns", "c", "")]
            shim.hang.add("State")
            with pytest.raises(errors.DeadlineExceeded):
                await channel.call(TASK, "State", shim_v3.StateRequest(id="c"), namespace="ns", timeout=0.1)
            await channel.close()

    asyncio.run(run())


def test_the_end_of_the_shim_is_the_end_of_the_connection(tmp_path: Path) -> None:
    async def run() -> None:
        async with GrpcShim(tmp_path / "s") as shim:
            channel = ShimChannel(shim.path)
            await channel.ready()
            ended = asyncio.create_task(channel.ended())
            await asyncio.sleep(0.05)
            assert not ended.done()
            await shim.stop()
            await asyncio.wait_for(ended, 10)
            await channel.close()

    asyncio.run(run())
