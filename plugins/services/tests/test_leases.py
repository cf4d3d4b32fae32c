"""The leases service."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from moorage_api.messages import leases as api
from moorage_sdk import errors
from moorage_sdk.collectors import Collector
from moorage_sdk.metadata import Collection
from moorage_services.leases import LeaseService
from moorage_services.pools import Pool
from moorage_testkit.fakes.metadata import MemoryMetadata


class Failing(Collector):
    def collect(self) -> Future[Collection]:
        future: Future[Collection] = Future()
        future.set_exception(errors.Unavailable("metadata: latched: unavailable"))
        return future


@pytest.fixture
def service(pool: Pool) -> LeaseService:
    return LeaseService(MemoryMetadata(), Failing(), pool)


def test_a_life(service: LeaseService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        created = (await service.create(api.CreateRequest(id="l", labels={"k": "v"}), call())).lease
        assert (created.id, dict(created.labels)) == ("l", {"k": "v"})
        assert created.created_at.seconds > 0
        named = (await service.create(api.CreateRequest(), call())).lease.id
        assert named
        listed = await service.list(api.ListRequest(filters=["id==l"]), call())
        assert list(listed.leases) == [created]
        await service.delete(api.DeleteRequest(id="l"), call())
        with pytest.raises(errors.NotFound):
            await service.delete(api.DeleteRequest(id="l"), call())

    asyncio.run(run())


def test_resources(service: LeaseService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        await service.create(api.CreateRequest(id="l"), call())
        held = [api.Resource(id="k", type="snapshots/overlayfs"), api.Resource(id="r", type="ingests")]
        for resource in held:
            await service.add_resource(api.AddResourceRequest(id="l", resource=resource), call())
        listed = await service.list_resources(api.ListResourcesRequest(id="l"), call())
        assert list(listed.resources) == held
        await service.delete_resource(api.DeleteResourceRequest(id="l", resource=held[0]), call())
        listed = await service.list_resources(api.ListResourcesRequest(id="l"), call())
        assert list(listed.resources) == held[1:]
        with pytest.raises(errors.Unimplemented):
            wrong = api.Resource(id="x", type="snapshotter/overlayfs")
            await service.add_resource(api.AddResourceRequest(id="l", resource=wrong), call())
        with pytest.raises(errors.NotFound):
            await service.list_resources(api.ListResourcesRequest(id="gone"), call())

    asyncio.run(run())


def test_a_collection_that_fails_is_told_and_the_lease_is_gone(service: LeaseService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        await service.create(api.CreateRequest(id="l"), call())
        with pytest.raises(errors.Unavailable):
            await service.delete(api.DeleteRequest(id="l", sync=True), call())
        assert not (await service.list(api.ListRequest(), call())).leases

    asyncio.run(run())
