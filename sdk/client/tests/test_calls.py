from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.empty_pb2 import Empty

from moorage_api.messages import version
from moorage_client.calls import Caller, Stubs
from moorage_client.clients import Client


def test_every_call_carries_the_namespace_and_a_lease_if_there_is_one(talk: Any) -> None:
    seen: list[dict[str, str]] = []

    async def answer(request: Empty, context: Any) -> version.VersionResponse:
        seen.append({key: value for key, value in context.invocation_metadata() if key.startswith("containerd-")})
        return version.VersionResponse(version="1")

    async def work(client: Client) -> None:
        caller = client.versions._caller
        await caller.call("containerd.services.version.v1.Version", "Version", Empty())
        await caller.leased("l").call("containerd.services.version.v1.Version", "Version", Empty())

    talk({"containerd.services.version.v1.Version": {"Version": answer}}, work)
    assert seen == [
        {"containerd-namespace": "test"},
        {"containerd-namespace": "test", "containerd-lease": "l"},
    ]


def test_streams_carry_it_too(talk: Any) -> None:
    from moorage_api.messages import events_service, types

    async def answer(request: Any, context: Any) -> AsyncIterator[types.Envelope]:
        yield types.Envelope(namespace=dict(context.invocation_metadata())["containerd-namespace"])

    async def work(client: Client) -> list[str]:
        caller = client.events._caller
        request = events_service.SubscribeRequest()
        return [
            message.namespace
            async for message in caller.receive("containerd.services.events.v1.Events", "Subscribe", request)
        ]

    assert talk({"containerd.services.events.v1.Events": {"Subscribe": answer}}, work) == ["test"]


def test_a_stub_is_made_once(talk: Any) -> None:
    async def work(client: Client) -> bool:
        caller: Caller = client.versions._caller
        stubs: Stubs = caller.leased("l")._stubs
        name = "containerd.services.images.v1.Images"
        return stubs[name] is caller._stubs[name]

    assert talk({}, work) is True
