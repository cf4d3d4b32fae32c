"""The daemon's end, as its clients see it."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio
import pytest

from moorage_api.calling import Stub
from moorage_api.messages import events_service
from moorage_sdk import errors
from moorage_testkit import daemons
from moorage_testkit.daemons import Daemon

EVENTS = "containerd.services.events.v1.Events"


def test_who_waits_is_told_and_the_socket_is_gone(moorage: Any) -> None:
    async def talk(daemon: Daemon) -> None:
        async with grpc.aio.insecure_channel(f"unix:{daemon.address}") as channel:
            call = channel.unary_stream(f"/{EVENTS}/Subscribe")(events_service.SubscribeRequest().SerializeToString())
            await call.initial_metadata()  # which says that the subscription stands
            assert await asyncio.to_thread(daemon.terminate) == 0
            assert await call.code() == grpc.StatusCode.UNAVAILABLE
            assert "stopping" in (await call.details() or "")
            with pytest.raises(errors.Unavailable):
                await Stub(channel, EVENTS).call("Publish", events_service.PublishRequest(topic="/a"), timeout=10)

    with daemons.directory() as base:
        with Daemon(daemons.moorage(), base) as daemon:
            asyncio.run(talk(daemon))
        assert not list(base.glob("*.sock*"))
