"""Sandboxes on our daemon, where no containerd is there that knows them: ``test_same_sandboxes`` compares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from moorage_api.convert import timestamps
from moorage_api.messages import types
from moorage_sdk import errors
from moorage_testkit import programs

STORE, CONTROLLER = "sandbox.Store", "sandbox.Controller"
SPEC = {"type_url": "types.containerd.io/opencontainers/runtime-spec/1/Spec", "value": b'{"ociVersion":"1.1.0"}'}


@asynccontextmanager
async def heard(client: Any) -> AsyncIterator[list[str]]:
    """Topics of what is published about sandboxes meanwhile."""
    topics: list[str] = []
    stub = client.stub("events")
    request = stub.service.methods["Subscribe"].request(filters=['topic~="^/sandboxes/"'])
    call = client.channel.unary_stream(f"/{stub.service.name}/Subscribe")(request.SerializeToString())
    await call.initial_metadata()

    async def listen() -> None:
        async for data in call:
            topics.append(types.Envelope.FromString(data).topic)

    listening = asyncio.create_task(listen())
    yield topics
    call.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def until(topics: list[str], *wanted: str) -> None:
    """These are heard, and for a moment no more; an event may come after the answer to what it is about."""
    async with asyncio.timeout(10):
        while len(topics) < len(wanted):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert topics == [f"/sandboxes/{name}" for name in wanted]


@pytest.mark.parametrize("carrier", ["monitor", "binary"])
def test_a_life(moorage: Any, tmp_path: Path, carrier: str) -> None:
    id = f"pod-{carrier}"
    runtime = "io.containerd.runc.v2" if carrier == "monitor" else str(programs.shim(tmp_path))
    record = {"sandbox_id": id, "runtime": {"name": runtime}, "spec": SPEC, "sandboxer": "shim", "labels": {"a": "1"}}

    async def talk(client: Any) -> None:
        async def control(method: str, **fields: Any) -> Any:
            return await client.ask(CONTROLLER, method, {"sandbox_id": id, "sandboxer": "shim", **fields})

        async with heard(client) as topics:
            created = (await client.ask(STORE, "Create", {"sandbox": record})).sandbox
            assert created.created_at.seconds > 0
            listed = (await client.ask(STORE, "List", {"filters": [f"id=={id},labels.a==1"]})).list
            assert list(listed) == [created]
            await control("Create", sandbox=record)
            assert (await control("Status")).state == "SANDBOX_NOTREADY"
            assert (await control("Start")).sandbox_id == id
            status = await control("Status")
            assert (status.state, timestamps.from_message(status.exited_at)) == ("SANDBOX_READY", 0)
            assert (await control("Platform")).platform.os == "linux"
            waiting = asyncio.create_task(control("Wait"))
            await asyncio.sleep(0.05)
            await control("Stop", timeout_secs=1)
            assert (await waiting).exited_at.seconds > 0
            await control("Shutdown")
            await client.ask(STORE, "Delete", {"sandbox_id": id})
            assert (await control("Status")).state == ""
            for method in ("Wait", "Shutdown", "Metrics"):
                with pytest.raises(errors.NotFound):
                    await control(method)
            await until(topics, "create", "start", "exit")

    moorage.run(talk)


def test_a_waiting_client_that_leaves_ends_only_its_own_call(moorage: Any) -> None:
    async def talk(client: Any) -> None:
        async def control(method: str, **fields: Any) -> Any:
            return await client.ask(CONTROLLER, method, {"sandbox_id": "pod", "sandboxer": "shim", **fields})

        record = {"sandbox_id": "pod", "runtime": {"name": "io.containerd.runc.v2"}}
        await control("Create", sandbox=record)
        async with heard(client) as topics:
            first, second = (asyncio.create_task(control("Wait")) for _ in range(2))
            await asyncio.sleep(0.05)
            first.cancel()
            await asyncio.sleep(0.05)
            await control("Stop")
            await second
            await until(topics, "exit")
        await control("Shutdown")

    moorage.run(talk)
