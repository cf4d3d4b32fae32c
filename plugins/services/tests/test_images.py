"""The images service."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from moorage_api.messages import images as api
from moorage_api.messages import types
from moorage_sdk import errors
from moorage_sdk.collectors import Collector
from moorage_sdk.metadata import Collection
from moorage_services.images import ImageService
from moorage_services.pools import Pool
from moorage_testkit.fakes.metadata import MemoryMetadata

TARGET = types.Descriptor(media_type="mt", digest="sha256:" + "a" * 64, size=3, annotations={"x": "y"})


class Collections(Collector):
    def __init__(self) -> None:
        self.futures: list[Future[Collection]] = []

    def collect(self) -> Future[Collection]:
        self.futures.append(Future())
        return self.futures[-1]


@pytest.fixture
def service(pool: Pool) -> ImageService:
    return ImageService(MemoryMetadata(), Collections(), pool)


def create(name: str, **labels: str) -> api.CreateImageRequest:
    return api.CreateImageRequest(image=api.Image(name=name, target=TARGET, labels=labels))


def test_images_come_back_as_they_were_created(service: ImageService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        request = create("a", k="v")
        request.image.created_at.CopyFrom(Timestamp(seconds=5))
        created = (await service.create(request, call())).image
        assert (created.name, created.target, dict(created.labels)) == ("a", TARGET, {"k": "v"})
        assert created.created_at.seconds > 5
        assert (await service.get(api.GetImageRequest(name="a"), call())).image == created
        with pytest.raises(errors.NotFound):
            await service.get(api.GetImageRequest(name="a"), call("other"))
        with pytest.raises(errors.AlreadyExists):
            await service.create(create("a"), call())

    asyncio.run(run())


def test_a_source_date_epoch_sets_the_time(service: ImageService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        request = create("a")
        request.source_date_epoch.CopyFrom(Timestamp(seconds=77))
        assert (await service.create(request, call())).image.created_at.seconds == 77
        update = api.UpdateImageRequest(
            image=api.Image(name="a", target=TARGET), source_date_epoch=Timestamp(seconds=99)
        )
        assert (await service.update(update, call())).image.updated_at.seconds == 99

    asyncio.run(run())


def test_lists_are_filtered(service: ImageService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        for name in ("b", "a"):
            await service.create(create(name, own=name), call())

        async def names(*filters: str) -> list[str]:
            found = await service.list(api.ListImagesRequest(filters=filters), call())
            return [each.name for each in found.images]

        assert await names() == ["a", "b"]
        assert await names("labels.own==b", "name==nothing") == ["b"]
        with pytest.raises(errors.InvalidArgument):
            await names("name==")

    asyncio.run(run())


def test_masks_reach_the_store(service: ImageService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        await service.create(create("a", k="v", l="w"), call())
        image = api.Image(name="a", labels={"k": "x", "l": "ignored"})
        request = api.UpdateImageRequest(image=image, update_mask=FieldMask(paths=["labels.k"]))
        assert dict((await service.update(request, call())).image.labels) == {"k": "x", "l": "w"}
        request.update_mask.paths[:] = ["name"]
        with pytest.raises(errors.InvalidArgument):
            await service.update(request, call())

    asyncio.run(run())


def test_delete_with_another_target_finds_nothing(service: ImageService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        await service.create(create("a"), call())
        other = types.Descriptor(digest="sha256:" + "b" * 64)
        with pytest.raises(errors.NotFound):
            await service.delete(api.DeleteImageRequest(name="a", target=other), call())
        await service.delete(api.DeleteImageRequest(name="a", target=TARGET), call())
        with pytest.raises(errors.NotFound):
            await service.delete(api.DeleteImageRequest(name="a"), call())

    asyncio.run(run())


def test_a_synchronous_delete_waits_for_the_collection(pool: Pool, call: Callable[..., Any]) -> None:
    async def run() -> None:
        collector = Collections()
        service = ImageService(MemoryMetadata(), collector, pool)
        await service.create(create("a"), call())
        deleting = asyncio.create_task(service.delete(api.DeleteImageRequest(name="a", sync=True), call()))
        async with asyncio.timeout(10):
            while not collector.futures:
                await asyncio.sleep(0.001)
        assert not deleting.done()
        collector.futures[0].set_result(Collection())
        await deleting
        assert len(collector.futures) == 1

    asyncio.run(run())
