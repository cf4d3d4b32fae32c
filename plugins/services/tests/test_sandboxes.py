"""The store of sandboxes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import any_pb2

from moorage_api.messages import sandboxes as api
from moorage_api.messages import types
from moorage_sdk import errors
from moorage_services.pools import Pool
from moorage_services.sandboxes import SandboxService
from moorage_testkit.fakes.metadata import MemoryMetadata


def sandbox(id: str, **fields: Any) -> types.Sandbox:
    runtime = types.Sandbox.Runtime(name="io.containerd.kata.v2", options=any_pb2.Any(type_url="o", value=b"1"))
    return types.Sandbox(**{"sandbox_id": id, "runtime": runtime, **fields})


@pytest.fixture
def service(pool: Pool) -> SandboxService:
    return SandboxService(MemoryMetadata(), pool)


def test_every_field_comes_back(service: SandboxService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        any = any_pb2.Any(type_url="t", value=b"x")
        wanted = sandbox("a", spec=any, sandboxer="shim", labels={"l": "v"}, extensions={"e": any})
        created = (await service.create(api.StoreCreateRequest(sandbox=wanted), call())).sandbox
        assert created.created_at.seconds > 0
        assert created.created_at == created.updated_at
        got = (await service.get(api.StoreGetRequest(sandbox_id="a"), call())).sandbox
        assert got == created
        for field in ("created_at", "updated_at"):
            got.ClearField(field)
        assert got == wanted

    asyncio.run(run())


def test_lists_are_filtered(service: SandboxService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        for id in ("b", "a", "c"):
            await service.create(api.StoreCreateRequest(sandbox=sandbox(id, labels={"of": id})), call())

        async def ids(*filters: str) -> list[str]:
            listed = await service.list(api.StoreListRequest(filters=filters), call())
            return [each.sandbox_id for each in listed.list]

        assert await ids() == ["a", "b", "c"]
        assert await ids("id==a", "labels.of==c") == ["a", "c"]
        assert await ids("runtime.name==x") == []
        with pytest.raises(errors.InvalidArgument):
            await ids("id==a,")

    asyncio.run(run())


def test_updates_follow_the_list_of_paths(service: SandboxService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        await service.create(api.StoreCreateRequest(sandbox=sandbox("a", labels={"x": "1"})), call())
        wanted = sandbox("a", labels={"y": "2"}, spec=any_pb2.Any(type_url="new"))
        request = api.StoreUpdateRequest(sandbox=wanted, fields=["labels.y"])
        updated = (await service.update(request, call())).sandbox
        assert dict(updated.labels) == {"x": "1", "y": "2"}
        assert not updated.HasField("spec")

    asyncio.run(run())


def test_a_deleted_one_is_gone(service: SandboxService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        await service.create(api.StoreCreateRequest(sandbox=sandbox("a")), call())
        await service.delete(api.StoreDeleteRequest(sandbox_id="a"), call())
        with pytest.raises(errors.NotFound):
            await service.get(api.StoreGetRequest(sandbox_id="a"), call())
        with pytest.raises(errors.FailedPrecondition):
            await service.list(api.StoreListRequest(), call(namespace=""))

    asyncio.run(run())
