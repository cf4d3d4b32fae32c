from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import payloads, timestamps, typeurls
from moorage_api.messages import events as messages
from moorage_api.messages import events_service, runc_options, types
from moorage_client import events
from moorage_client.clients import Client
from moorage_client.events import SERVICE
from moorage_sdk.events import Envelope, Payload


def test_subscribing(talk: Any) -> None:
    event = messages.TaskStart(container_id="c", pid=7)

    async def subscribe(request: events_service.SubscribeRequest, context: Any) -> AsyncIterator[types.Envelope]:
        assert list(request.filters) == ["topic==/a"]
        for _ in range(2):
            yield types.Envelope(
                timestamp=timestamps.to_message(3), namespace="n", topic="/a", event=typeurls.pack(event)
            )

    async def work(client: Client) -> list[Envelope]:
        return [envelope async for envelope in client.events.subscribe(["topic==/a"])]

    assert talk({SERVICE: {"Subscribe": subscribe}}, work) == [Envelope(3, "n", "/a", payloads.of(event))] * 2


def test_publishing(talk: Any) -> None:
    async def publish(request: events_service.PublishRequest, context: Any) -> Empty:
        assert (request.topic, request.event.type_url) == ("/t", "x.Y")
        return Empty()

    async def work(client: Client) -> None:
        await client.events.publish("/t", Payload("x.Y", b""))

    talk({SERVICE: {"Publish": publish}}, work)


def test_fields_of_nested_messages() -> None:
    created = messages.ContainerCreate(id="c", image="i")
    created.runtime.name = "r"
    created.runtime.options.CopyFrom(typeurls.pack(runc_options.Options(systemd_cgroup=True)))
    assert events.fields(payloads.of(created)) == {
        "id": "c",
        "image": "i",
        "runtime": {"name": "r", "options": {"type_url": "containerd.runc.v1.Options", "systemd_cgroup": True}},
    }


def test_fields_of_times_maps_and_lists() -> None:
    ended = messages.TaskExit(container_id="c", exit_status=1, exited_at=timestamps.to_message(1_500_000_000))
    assert events.fields(payloads.of(ended))["exited_at"] == "1970-01-01T00:00:01.500Z"
    named = messages.NamespaceCreate(name="n", labels={"b": "2", "a": "1"})
    assert events.fields(payloads.of(named)) == {"name": "n", "labels": {"a": "1", "b": "2"}}
    created = messages.TaskCreate(rootfs=[types.Mount(type="bind", options=["ro", "rbind"])])
    assert events.fields(payloads.of(created)) == {"rootfs": [{"type": "bind", "options": ["ro", "rbind"]}]}


def test_what_cannot_be_read_is_named() -> None:
    assert events.fields(Payload("no.Such", b"abc")) == {"type_url": "no.Such", "size": 3}
    assert events.fields(Payload("containerd.events.TaskStart", b"\xff")) == {
        "type_url": "containerd.events.TaskStart",
        "size": 1,
    }
