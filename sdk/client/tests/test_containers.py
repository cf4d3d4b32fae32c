from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from moorage_api.messages import containers
from moorage_client import containers as records
from moorage_client.clients import Client
from moorage_client.containers import SERVICE
from moorage_sdk import errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.events import Payload

RECORD = Container(
    id="c",
    runtime=Runtime("io.containerd.runc.v2", Payload("containerd.runc.v1.Options", b"")),
    spec=records.spec_payload({"process": {"args": ["x"]}}),
    image="i",
    snapshotter="overlayfs",
    snapshot_key="k",
    labels={"a": "b"},
    extensions={"e": Payload("t", b"v")},
)


def test_there_and_back(talk: Any) -> None:
    log: list[Any] = []

    async def create(request: Any, context: Any) -> Any:
        return containers.CreateContainerResponse(container=request.container)

    async def update(request: Any, context: Any) -> Any:
        log.append(list(request.update_mask.paths))
        return containers.UpdateContainerResponse(container=request.container)

    async def get(request: Any, context: Any) -> Any:
        return containers.GetContainerResponse(container=containers.Container(id=request.id))

    async def delete(request: Any, context: Any) -> Empty:
        log.append(request.id)
        return Empty()

    async def work(client: Client) -> None:
        assert await client.containers.create(RECORD) == RECORD
        assert await client.containers.update(RECORD, ["labels.a"]) == RECORD
        assert await client.containers.get("x") == Container("x", Runtime(""))
        await client.containers.delete("c")

    talk({SERVICE: {"Create": create, "Update": update, "Get": get, "Delete": delete}}, work)
    assert log == [["labels.a"], "c"]


def test_listing_is_streamed_where_that_is_offered(talk: Any) -> None:
    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        for name in request.filters:
            yield containers.ListContainerMessage(container=containers.Container(id=name))

    async def list_(request: Any, context: Any) -> Any:
        return containers.ListContainersResponse(containers=[containers.Container(id=name) for name in request.filters])

    async def work(client: Client) -> list[str]:
        return [container.id for container in await client.containers.list(["a", "b"])]

    assert talk({SERVICE: {"ListStream": stream}}, work) == ["a", "b"]
    assert talk({SERVICE: {"List": list_}}, work) == ["a", "b"]


def test_specifications() -> None:
    assert records.spec_of(RECORD) == {"process": {"args": ["x"]}}
    for value in (b"", b"[]", b"{", b"[" * 100_000):
        with pytest.raises(errors.InvalidArgument):
            records.spec_of(Container("c", Runtime("r"), spec=Payload("t", value)))
    with pytest.raises(errors.InvalidArgument):
        records.spec_of(Container("c", Runtime("r")))
