"""The containers service."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import any_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from moorage_api.messages import containers as api
from moorage_sdk import errors
from moorage_services.containers import ContainerService
from moorage_services.pools import Pool
from moorage_testkit.fakes.metadata import MemoryMetadata

SPEC = any_pb2.Any(type_url="types.containerd.io/opencontainers/runtime-spec/1/Spec", value=b"{}")


def container(id: str, **fields: Any) -> api.Container:
    runtime = api.Container.Runtime(name="io.containerd.runc.v2", options=any_pb2.Any(type_url="o", value=b"1"))
    return api.Container(**{"id": id, "runtime": runtime, "spec": SPEC, **fields})


@pytest.fixture
def service(pool: Pool) -> ContainerService:
    return ContainerService(MemoryMetadata(), pool)


def test_every_field_comes_back(service: ContainerService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        wanted = container(
            "a",
            image="i",
            snapshotter="s",
            snapshot_key="k",
            sandbox="b",
            labels={"l": "v"},
            extensions={"e": any_pb2.Any(type_url="t", value=b"x")},
        )
        created = (await service.create(api.CreateContainerRequest(container=wanted), call())).container
        assert created.created_at.seconds > 0
        assert created.created_at == created.updated_at
        got = (await service.get(api.GetContainerRequest(id="a"), call())).container
        assert got == created
        for field in ("created_at", "updated_at"):
            got.ClearField(field)
        assert got == wanted

    asyncio.run(run())


def test_absent_options_stay_absent(service: ContainerService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        plain = container("a", runtime=api.Container.Runtime(name="r"))
        created = (await service.create(api.CreateContainerRequest(container=plain), call())).container
        assert not created.runtime.HasField("options")

    asyncio.run(run())


def test_both_lists_agree(service: ContainerService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        for id in ("b", "a", "c"):
            await service.create(api.CreateContainerRequest(container=container(id)), call())
        request = api.ListContainersRequest(filters=["id!=b"])
        listed = await service.list(request, call())
        made = call()
        assert await service.list_stream(request, made) is None
        assert [each.id for each in listed.containers] == ["a", "c"]
        assert [each.container for each in made.wire.sent] == list(listed.containers)

    asyncio.run(run())


def test_updates_follow_the_mask(service: ContainerService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        await service.create(
            api.CreateContainerRequest(container=container("a", image="old", labels={"x": "1"})), call()
        )
        request = api.UpdateContainerRequest(
            container=container("a", image="new", labels={"x": "2"}), update_mask=FieldMask(paths=["image"])
        )
        updated = (await service.update(request, call())).container
        assert (updated.image, dict(updated.labels)) == ("new", {"x": "1"})
        request.update_mask.paths[:] = ["snapshot_key"]
        with pytest.raises(errors.InvalidArgument):
            await service.update(request, call())

    asyncio.run(run())


def test_delete_is_not_idempotent(service: ContainerService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        await service.create(api.CreateContainerRequest(container=container("a")), call())
        await service.delete(api.DeleteContainerRequest(id="a"), call())
        with pytest.raises(errors.NotFound):
            await service.delete(api.DeleteContainerRequest(id="a"), call())

    asyncio.run(run())
