"""The ttrpc server, spoken to with a real client."""

import asyncio
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_sdk.services import Service
from moorage_server_ttrpc.servers import TtrpcServer
from moorage_ttrpc.clients import connect
from moorage_ttrpc.methods import Call, Method
from moorage_ttrpc.peers import Peer


class Echo(Service):
    transport = "ttrpc"
    names = ("x.Echo",)

    def __init__(self) -> None:
        self.hold = asyncio.Event()
        self.entered = asyncio.Event()

    def handlers(self) -> Sequence[Any]:
        return ({"x.Echo": {"Say": Method(bytes, self.say, bytes), "Wait": Method(bytes, self.wait, bytes)}},)

    async def say(self, request: bytes, call: Call) -> bytes:
        return request

    async def wait(self, request: bytes, call: Call) -> bytes:
        self.entered.set()
        await self.hold.wait()
        return b"done"


class Broken(Service):
    transport = "ttrpc"
    names = ("x.Broken",)

    def handlers(self) -> Sequence[Any]:
        raise RuntimeError("not today")


class Foreign(Service):
    transport = "grpc"
    names = ("x.Grpc",)

    def handlers(self) -> Sequence[Any]:
        raise AssertionError("not for this server")


def server(path: Path, *services: Service) -> TtrpcServer:
    return TtrpcServer(path, os.geteuid(), os.getegid(), services)


def test_it_answers_and_leaves_nothing_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        path = tmp_path / "s"
        made = server(path, Broken(), Foreign(), Echo())
        await made.start()
        assert made.address == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        client = await connect(path)
        assert await client.call("x.Echo", "Say", b"hi") == b"hi"
        with pytest.raises(errors.Unimplemented):
            await client.call("x.Broken", "Say", b"")
        await client.close()
        await made.stop(1)
        assert not path.exists()

    asyncio.run(run())
    assert "x.Broken" in caplog.text


def test_stopping_waits_for_running_calls(tmp_path: Path) -> None:
    async def run() -> None:
        echo = Echo()
        made = server(tmp_path / "s", echo)
        await made.start()
        client = await connect(tmp_path / "s")
        running = asyncio.create_task(client.call("x.Echo", "Wait", b""))
        await echo.entered.wait()
        stopping = asyncio.create_task(made.stop(30))
        await asyncio.sleep(0.02)
        assert not stopping.done()
        echo.hold.set()
        assert await running == b"done"
        await stopping

    asyncio.run(run())


def test_an_address_in_use_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(tmp_path / "s"))
            other.listen()
            with pytest.raises(errors.FailedPrecondition, match="in use"):
                await server(tmp_path / "s").start()
        with pytest.raises(errors.FailedPrecondition):
            await server(tmp_path / "gone" / "s").start()

    asyncio.run(run())


def test_stopping_what_never_started_does_nothing(tmp_path: Path) -> None:
    asyncio.run(server(tmp_path / "s").stop(1))


def test_root_and_the_owner_may_speak(tmp_path: Path) -> None:
    made = TtrpcServer(tmp_path / "s", 1234, 5678, ())
    assert [made._allows(Peer(1, uid, 5678)) for uid in (0, 1234, 4321)] == [True, True, False]
