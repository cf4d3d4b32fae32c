"""The ttrpc socket, where shims deliver events, and the way from there to subscribers."""

from __future__ import annotations

import asyncio
import stat
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from moorage_api.convert import timestamps, typeurls
from moorage_api.messages import events, ttrpc_events, types
from moorage_sdk import errors
from moorage_ttrpc.clients import Client, connect

SERVICE = "containerd.services.events.ttrpc.v1.Events"
NUMBER = "moorage-event-number"


def envelope(id: str, **fields: Any) -> types.Envelope:
    event = typeurls.pack(events.TaskExit(container_id=id, id=id, exit_status=3))
    known = {"timestamp": timestamps.to_message(time.time_ns()), "namespace": "wire", "topic": "/tasks/exit"}
    return types.Envelope(**{**known, "event": event, **fields})


async def forward(client: Client, event: types.Envelope, **headers: str) -> None:
    request = ttrpc_events.ForwardRequest(envelope=event).SerializeToString()
    metadata = [(key.replace("_", "-"), value) for key, value in headers.items()]
    assert await client.call(SERVICE, "Forward", request, metadata=metadata, timeout=10) == b""


def test_what_a_shim_delivers_is_heard_once(moorage: Any) -> None:
    async def talk(client: Any) -> None:
        first, last = f"task-{uuid.uuid4()}", f"task-{uuid.uuid4()}"
        stub, heard = client.stub("events"), list[types.Envelope]()
        standing = asyncio.Event()

        async def listen() -> None:
            subscribe = client.channel.unary_stream(f"/{stub.service.name}/Subscribe")
            wanted = [f"event.container_id=={each}" for each in (first, last)]
            call = subscribe(stub.service.methods["Subscribe"].request(filters=wanted).SerializeToString())
            await call.initial_metadata()
            standing.set()
            async for data in call:
                heard.append(types.Envelope.FromString(data))

        listening = asyncio.create_task(listen())
        shim = await connect(f"{moorage.daemon.address}.ttrpc")
        try:
            async with asyncio.timeout(20):
                await standing.wait()
                event = envelope(first)
                for _ in range(3):  # as after a connection that broke before the answer
                    await forward(shim, event, moorage_event_number="7")
                await forward(shim, envelope(last))
                while not heard or heard[-1].event != envelope(last).event:
                    await asyncio.sleep(0.02)
            assert [each.event for each in heard] == [event.event, envelope(last).event]
            assert (heard[0].namespace, heard[0].timestamp) == ("wire", event.timestamp)
        finally:
            listening.cancel()
            await shim.close()

    moorage.run(talk)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"namespace": ""}, errors.InvalidArgument),
        ({"namespace": "../x"}, errors.InvalidArgument),
        ({"topic": "tasks"}, errors.InvalidArgument),
        ({"topic": ""}, errors.InvalidArgument),
        ({"timestamp": None}, errors.InvalidArgument),
    ],
)
def test_what_is_malformed_is_refused(moorage: Any, fields: dict[str, Any], error: type[errors.Error]) -> None:
    async def run() -> None:
        shim = await connect(f"{moorage.daemon.address}.ttrpc")
        with pytest.raises(error):
            await forward(shim, envelope("x", **fields))
        await forward(shim, envelope("x"))
        await shim.close()

    asyncio.run(run())


def test_both_sockets_are_for_root_and_its_group(moorage: Any) -> None:
    for name in (moorage.daemon.address, f"{moorage.daemon.address}.ttrpc"):
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o660
