"""The fake over gRPC answers as the one over ttrpc does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from moorage_api.messages import shim_v3
from moorage_client.shims import ShimChannel
from moorage_sdk import errors
from moorage_testkit.fakes.grpc_shims import GrpcShim

TASK = "containerd.task.v3.Task"


def test_it_serves_tasks_by_namespace_and_stops(tmp_path: Path) -> None:
    async def run() -> None:
        async with GrpcShim(tmp_path / "s") as shim:
            channel = ShimChannel(shim.path)
            said = await channel.call(TASK, "Create", shim_v3.CreateTaskRequest(id="c"), namespace="ns")
            assert said.pid == shim.tasks["ns", "c", ""].pid
            with pytest.raises(errors.NotFound):
                await channel.call(TASK, "State", shim_v3.StateRequest(id="c"), namespace="other")
            await shim.stop()
            await asyncio.wait_for(channel.ended(), 10)
            await channel.close()

    asyncio.run(run())
