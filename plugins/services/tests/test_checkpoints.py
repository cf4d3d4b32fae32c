"""Checkpoints, as far as no process is needed for them."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import typeurls
from moorage_api.messages import runc_options
from moorage_sdk import digests, errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.differs import Differ
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount
from moorage_sdk.tasks import Creation
from moorage_services.checkpoints import CHECKPOINT, CONFIG, Checkpoints
from moorage_services.pools import Pool
from moorage_testkit.fakes.metadata import MemoryMetadata
from moorage_testkit.fakes.tasks import MemoryTasks

CONTAINER = Container("web", Runtime("r"), Payload("spec", b"{}"))


class Recording(Differ):
    def __init__(self) -> None:
        self.upper: Sequence[Mount] = ()

    def apply(
        self, layer: Any, mounts: Any, content: ContentStore, *, sync: bool = False, payloads: Any = None
    ) -> Descriptor:
        raise AssertionError("nothing is unpacked here")

    def compare(
        self,
        lower: Sequence[Mount],
        upper: Sequence[Mount],
        content: ContentStore,
        *,
        media_type: str = "",
        ref: str = "",
        labels: Mapping[str, str] | None = None,
        source_date_epoch: int | None = None,
    ) -> Descriptor:
        assert Path(upper[0].source).is_dir()
        self.upper = upper
        return Descriptor(media_type, digests.of(b"image"), 5)


async def manager() -> MemoryTasks:
    made = MemoryTasks()
    await made.create("ns", Creation("web", "r", b"{}"))
    return made


def options(**fields: Any) -> Packed:
    return typeurls.pack(runc_options.CheckpointOptions(**fields))


def test_an_image_path_of_the_clients_own_is_handed_on(pool: Pool, tmp_path: Path) -> None:
    async def run() -> None:
        tasks = await manager()
        checkpoints = Checkpoints((), pool, tmp_path)
        told = options(image_path="/image", exit=True)
        assert await checkpoints.make(tasks, MemoryMetadata().view("ns"), CONTAINER, told) == ()
        assert tasks.told == [("checkpoint", "web", "/image", Payload(told.type_url, told.value))]

    asyncio.run(run())


def test_without_a_path_image_and_spec_go_into_the_content_store(pool: Pool, tmp_path: Path) -> None:
    async def run() -> None:
        view, differ = MemoryMetadata().view("ns"), Recording()
        checkpoints = Checkpoints((differ,), pool, tmp_path)
        for _ in range(2):  # the second spec is there already
            image, spec = await checkpoints.make(await manager(), view, CONTAINER, Packed())
            assert (image.media_type, image.digest) == (CHECKPOINT, digests.of(b"image"))
            assert spec.media_type == CONFIG
            with view.content.reader(spec.digest) as reader:
                stored = Packed.FromString(reader.read_at(0, spec.size))
            assert (stored.type_url, stored.value) == ("spec", b"{}")
        assert differ.upper[0].read_only
        assert list(tmp_path.iterdir()) == []

    asyncio.run(run())


def test_a_failure_leaves_no_scratch(pool: Pool, tmp_path: Path) -> None:
    async def run() -> None:
        view = MemoryMetadata().view("ns")
        with pytest.raises(errors.Unimplemented):
            await Checkpoints((), pool, tmp_path).make(await manager(), view, CONTAINER, Packed())
        with pytest.raises(errors.NotFound):
            await Checkpoints((), pool, tmp_path).make(MemoryTasks(), view, CONTAINER, Packed())
        assert list(tmp_path.iterdir()) == []

    asyncio.run(run())


def test_options_of_another_type_are_invalid(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidArgument):
        asyncio.run(
            Checkpoints((), pool, tmp_path).make(
                MemoryTasks(), MemoryMetadata().view("ns"), CONTAINER, Packed(type_url="containerd.runc.v1.Options")
            )
        )
