"""Both servers, spoken to with a real client."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from moorage_api import serving
from moorage_api.calling import Stub
from moorage_api.messages import version
from moorage_sdk import errors
from moorage_sdk.services import Service
from moorage_server_grpc.moorings import Mooring
from moorage_server_grpc.servers import MAX_MESSAGE, Certificates, Limits, TcpServer, UnixServer

NAME = "containerd.services.version.v1.Version"


class Versions(Service):
    transport = "grpc"
    names = (NAME,)

    def __init__(self, answer: str = "1", hold: asyncio.Event | None = None) -> None:
        self.answer = answer
        self.hold = hold
        self.entered = asyncio.Event()

    def handlers(self) -> Sequence[Any]:
        return [serving.handler(NAME, {"Version": self.version})]

    async def version(self, request: Any, context: Any) -> version.VersionResponse:
        self.entered.set()
        if self.hold:
            await self.hold.wait()
        return version.VersionResponse(version=self.answer)


class Broken(Service):
    transport = "grpc"
    names = ("x.Broken",)

    def handlers(self) -> Sequence[Any]:
        raise RuntimeError("no handlers today")


class Foreign(Service):
    transport = "ttrpc"
    names = ("x.Ttrpc",)

    def handlers(self) -> Sequence[Any]:
        raise AssertionError("not for this server")


def unix(path: Path, *services: Service, limits: Limits | None = None) -> UnixServer:
    return UnixServer(Mooring(path, -1, -1), services, limits)


async def ask(channel: grpc.aio.Channel) -> str:
    from google.protobuf.empty_pb2 import Empty

    return str((await Stub(channel, NAME).call("Version", Empty(), timeout=10)).version)


def serve(server: UnixServer, talk: Callable[[grpc.aio.Channel], Awaitable[None]]) -> None:
    async def run() -> None:
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"unix:{server.address}") as channel:
                await talk(channel)
        finally:
            await server.stop(0)

    asyncio.run(run())


def test_it_answers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def talk(channel: grpc.aio.Channel) -> None:
        assert await ask(channel) == "1"
        assert [each.name for each in tmp_path.iterdir()] == ["s.sock"]

    serve(unix(tmp_path / "s.sock", Versions(), Foreign()), talk)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_service_does_not_silence_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(channel: grpc.aio.Channel) -> None:
        assert await ask(channel) == "1"

    serve(unix(tmp_path / "s.sock", Broken(), Versions()), talk)
    assert "x.Broken" in caplog.text


@pytest.mark.parametrize(
    ("path", "details"), [("/a.B/C", "unknown service a.B"), (f"/{NAME}/X", f"unknown method X for service {NAME}")]
)
def test_what_nobody_serves_is_unimplemented(tmp_path: Path, path: str, details: str) -> None:
    async def talk(channel: grpc.aio.Channel) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(path)(b"", timeout=10)
        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert raised.value.details() == details

    serve(unix(tmp_path / "s.sock", Versions()), talk)


def test_a_message_over_the_limit_is_refused_and_the_connection_lives(tmp_path: Path) -> None:
    async def talk(channel: grpc.aio.Channel) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary(f"/{NAME}/Version")(b"\x0a" * 2000, timeout=10)
        assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await ask(channel) == "1"

    serve(unix(tmp_path / "s.sock", Versions(), limits=Limits(receive=1000)), talk)


def test_limits_default_to_containerds() -> None:
    options = dict(Limits(0, -1).options())
    assert (
        options["grpc.max_receive_message_length"] == options["grpc.max_send_message_length"] == MAX_MESSAGE == 16777216
    )


def test_an_address_in_use_is_refused_and_its_owner_lives(tmp_path: Path) -> None:
    async def run() -> None:
        first, second = unix(tmp_path / "s.sock", Versions()), unix(tmp_path / "s.sock", Versions("2"))
        await first.start()
        with pytest.raises(errors.FailedPrecondition, match="in use"):
            await second.start()
        async with grpc.aio.insecure_channel(f"unix:{first.address}") as channel:
            assert await ask(channel) == "1"
        await first.stop(0)

    asyncio.run(run())


def test_stopping_lets_running_calls_finish_and_takes_no_new_ones(tmp_path: Path) -> None:
    async def run() -> None:
        hold = asyncio.Event()
        service = Versions(hold=hold)
        server = unix(tmp_path / "s.sock", service)
        await server.start()
        async with grpc.aio.insecure_channel(f"unix:{server.address}") as channel:
            running = asyncio.create_task(ask(channel))
            await service.entered.wait()
            stopping = asyncio.create_task(server.stop(30))
            await asyncio.sleep(0)
            assert not (tmp_path / "s.sock").exists()
            hold.set()
            assert await running == "1"
            await stopping

    asyncio.run(run())


def test_a_second_stop_cuts_the_grace_short(tmp_path: Path) -> None:
    async def run() -> None:
        service = Versions(hold=asyncio.Event())
        server = unix(tmp_path / "s.sock", service)
        await server.start()
        async with grpc.aio.insecure_channel(f"unix:{server.address}") as channel:
            running = asyncio.create_task(ask(channel))
            await service.entered.wait()
            stopping = asyncio.create_task(server.stop(600))
            await asyncio.sleep(0)
            await server.stop(0)
            await asyncio.wait_for(stopping, 10)
            with pytest.raises(errors.Error):
                await running

    asyncio.run(run())


def test_tcp_without_tls_warns_and_serves(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        server = TcpServer("127.0.0.1:0", [Versions()])
        await server.start()
        async with grpc.aio.insecure_channel(server.address) as channel:
            assert await ask(channel) == "1"
        second = TcpServer(server.address, [Versions()])
        with pytest.raises(errors.FailedPrecondition, match="cannot listen"):
            await second.start()
        await second.stop(0)
        await server.stop(0)

    asyncio.run(run())
    assert "no TLS" in caplog.text


@pytest.fixture
def pair(tmp_path: Path) -> tuple[bytes, bytes]:
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-keyout",
        str(key),
        "-out",
        str(chain),
    ]
    subprocess.run([*made, *subject], check=True, capture_output=True)
    return key.read_bytes(), chain.read_bytes()


def test_tls_with_an_authority_wants_a_client_certificate(pair: tuple[bytes, bytes]) -> None:
    key, chain = pair

    async def run() -> None:
        server = TcpServer("localhost:0", [Versions()], Certificates(key, chain, authority=chain))
        await server.start()
        known = grpc.ssl_channel_credentials(chain, key, chain)
        async with grpc.aio.secure_channel(server.address, known) as channel:
            assert await ask(channel) == "1"
        async with grpc.aio.secure_channel(server.address, grpc.ssl_channel_credentials(chain)) as channel:
            with pytest.raises(errors.Unavailable):
                await ask(channel)
        await server.stop(0)

    asyncio.run(run())
