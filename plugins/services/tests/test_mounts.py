"""The mounts service."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from moorage_api.messages import mounts as api
from moorage_api.messages import types
from moorage_sdk import errors
from moorage_services.mounts import MountService
from moorage_services.pools import Pool
from moorage_testkit.fakes.activations import MemoryMountManager

LOOP = types.Mount(type="loop", source="/disk", options=["ro"])
EXT4 = types.Mount(type="format/ext4", source="{{ mount 0 }}")


@pytest.fixture
def manager() -> MemoryMountManager:
    return MemoryMountManager()


@pytest.fixture
def service(pool: Pool, manager: MemoryMountManager) -> MountService:
    return MountService(manager, pool)


def test_a_life(service: MountService, manager: MemoryMountManager, call: Callable[..., Any]) -> None:
    async def run() -> None:
        request = api.ActivateRequest(name="web", mounts=[LOOP, EXT4], labels={"a": "b"})
        done = (await service.activate(request, call(lease="l"))).info
        assert (done.name, dict(done.labels)) == ("web", {"a": "b"})
        assert done.active[0].mount == LOOP
        assert [mount.type for mount in done.system] == ["ext4"]
        assert manager.asked["ns", "web"] == {"temporary": False, "allowed": (), "lease": "l"}
        assert (await service.info(api.InfoRequest(name="web"), call())).info == done
        listing = call()
        await service.list(api.ListRequest(filters=["name==other"]), listing)
        assert listing.wire.sent == [api.ListMessage(info=done)]
        await service.deactivate(api.DeactivateRequest(name="web"), call())
        for method, again in ((service.deactivate, api.DeactivateRequest), (service.info, api.InfoRequest)):
            with pytest.raises(errors.NotFound):
                await method(again(name="web"), call())

    asyncio.run(run())


def test_temporary(service: MountService, manager: MemoryMountManager, call: Callable[..., Any]) -> None:
    async def run() -> None:
        await service.activate(api.ActivateRequest(name="t", mounts=[types.Mount(type="bind")], temporary=True), call())
        assert manager.asked["ns", "t"]["temporary"]

    asyncio.run(run())


def test_errors_are_the_managers(service: MountService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        with pytest.raises(errors.Unimplemented):
            await service.activate(api.ActivateRequest(name="t", mounts=[types.Mount(type="bind")]), call())
        with pytest.raises(errors.Unimplemented):
            await service.update(api.UpdateRequest(info=types.ActivationInfo(name="t")), call())
        with pytest.raises(errors.FailedPrecondition):
            await service.list(api.ListRequest(), call(""))

    asyncio.run(run())
