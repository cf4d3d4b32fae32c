"""A daemon to speak to: ours, and the host's containerd, which says what is right where both know a method."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message

from moorage_api.calling import Stub
from moorage_sdk import errors
from moorage_testkit import daemons
from moorage_testkit.daemons import Daemon

NAMESPACE = "wire"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if os.geteuid() and item.path.is_relative_to(here):
            item.add_marker(pytest.mark.skip(reason="needs root to run a daemon"))


class Client:
    """Calls of one channel. Lives inside ``Wire.run``."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    def stub(self, service: str) -> Stub:
        return Stub(self.channel, _full(service))

    async def ask(
        self,
        service: str,
        method: str,
        fields: Mapping[str, Any] | Message | None = None,
        *,
        namespace: str = NAMESPACE,
        lease: str = "",
    ) -> Any:
        """The answer to a request, or to one of these fields; from a method that streams, all its messages."""
        stub = self.stub(service)
        known = stub.service.methods[method]
        headers = {"containerd-namespace": namespace, "containerd-lease": lease}
        metadata = [(key, value) for key, value in headers.items() if value]
        request = fields if isinstance(fields, Message) else known.request(**(fields or {}))
        if not known.server_streaming:
            return await stub.call(method, request, metadata=metadata, timeout=60)
        return [message async for message in stub.receive(method, request, metadata=metadata, timeout=60)]

    async def verdict(self, *call: Any, **circumstances: Any) -> str:
        """``OK`` or the name of the error's class. Arguments as of ``ask``."""
        try:
            await self.ask(*call, **circumstances)
        except errors.Error as error:
            return type(error).__name__
        return "OK"


@dataclass(frozen=True)
class Wire:
    daemon: Daemon
    containerd: bool

    def run(self, talk: Callable[[Client], Awaitable[None]]) -> None:
        """Talk to the daemon over one channel."""

        async def go() -> None:
            async with grpc.aio.insecure_channel(f"unix:{self.daemon.address}", options=OPTIONS) as channel:
                await talk(Client(channel))

        asyncio.run(go())


OPTIONS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)]


def _full(service: str) -> str:
    """``images`` is short for the service of that package; its name is the word with a capital, but for Version's."""
    return service if "." in service else f"containerd.services.{service}.v1.{service.capitalize()}"


@pytest.fixture(scope="session")
def moorage() -> Iterator[Wire]:
    with daemons.directory() as base, Daemon(daemons.moorage(), base, namespaces=(NAMESPACE,)) as daemon:
        yield Wire(daemon, containerd=False)


@pytest.fixture(scope="session")
def containerd() -> Iterator[Wire]:
    if not shutil.which("containerd"):
        pytest.skip("containerd is not installed")
    with daemons.directory() as base, Daemon(daemons.containerd(), base, namespaces=(NAMESPACE,)) as daemon:
        yield Wire(daemon, containerd=True)


@pytest.fixture(params=["moorage", "containerd"])
def both(request: pytest.FixtureRequest) -> Any:
    """Each test runs against both: what is asserted is containerd's own behaviour."""
    return request.getfixturevalue(request.param)
