"""Every method of containerd's API is either served, or known not to be."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import grpc
import pytest

from moorage_api import methods
from moorage_api.convert import typeurls
from moorage_api.messages import types

PREFIX = "containerd.services."

ABSENT_SERVICES = {
    "containerd.services.events.ttrpc.v1.Events",  # on the other socket
}

NOT_IMPLEMENTED = {
    ("containerd.services.mounts.v1.Mounts", "Update"),  # neither is it by containerd (core/mount/manager)
}

SERVICES = [name for name in methods.names() if name.startswith(PREFIX) and name not in ABSENT_SERVICES]
METHODS = [(service, method) for service in SERVICES for method in methods.service(service).methods]


LOST = "Internal error from Core"
"""What grpcio makes of the peer's answer when that came while a message of ours was on its way (aio/_call.py)."""


async def answered(channel: Any, service: str, method: str) -> tuple[grpc.StatusCode, str]:
    """What an empty request gets. A stream that stands and says nothing ends by our own deadline."""
    for _ in range(10):
        code, details = await _asked(channel, methods.service(service).methods[method].path)
        if details != LOST:
            break
    return code, details


async def _asked(channel: Any, path: str) -> tuple[grpc.StatusCode, str]:
    call = channel.stream_stream(path)(timeout=2)
    with suppress(grpc.RpcError, asyncio.InvalidStateError):  # refused before it was asked
        await call.write(b"")
        await call.done_writing()
    return await call.code(), await call.details() or ""


@pytest.mark.parametrize(("service", "method"), METHODS, ids=lambda each: each.rpartition(".")[2])
def test_it_is_served(moorage: Any, service: str, method: str) -> None:
    async def talk(client: Any) -> None:
        code, details = await answered(client.channel, service, method)
        assert not details.startswith("unknown method")
        assert (code == grpc.StatusCode.UNIMPLEMENTED) == ((service, method) in NOT_IMPLEMENTED)
        # An empty request is a bad one at most: it may not be an accident, and not lead to one.
        assert code not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE)

    moorage.run(talk)


@pytest.mark.parametrize("service", sorted(ABSENT_SERVICES))
def test_it_is_not(moorage: Any, service: str) -> None:
    async def talk(client: Any) -> None:
        method = next(iter(methods.service(service).methods))
        with pytest.raises(grpc.RpcError) as raised:
            await client.channel.unary_unary(methods.service(service).methods[method].path)(b"", timeout=10)
        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert raised.value.details() == f"unknown service {service}"

    moorage.run(talk)


@pytest.mark.parametrize(
    ("service", "method"),
    [
        ("version", "Version"),
        ("introspection", "Plugins"),
        ("introspection", "Server"),
        ("namespaces", "List"),
        ("grpc.health.v1.Health", "Check"),
    ],
)
def test_some_need_no_namespace(both: Any, service: str, method: str) -> None:
    async def talk(client: Any) -> None:
        assert await client.verdict(service, method, namespace="") == "OK"

    both.run(talk)


def test_a_runtime_tells_about_itself(moorage: Any) -> None:
    async def talk(client: Any) -> None:
        asked = typeurls.pack(types.RuntimeRequest(runtime_path="io.containerd.runc.v2"))
        plugin = {"type": "io.containerd.runtime.v2", "id": "task", "options": asked}
        said = await client.ask("introspection", "PluginInfo", plugin, namespace="")
        assert list(said.plugin.platforms)
        info = typeurls.unpack(said.extra)
        assert isinstance(info, types.RuntimeInfo)
        assert info.version.version

    moorage.run(talk)
