"""Checkpoints, as far as no process is needed for them."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import typeurls
from moorage_api.messages import runc_options
from moorage_sdk import digests, errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import OCI_LAYER, Descriptor
from moorage_sdk.differs import Differ
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount
from moorage_sdk.tasks import RESTORE_FROM, Creation
from moorage_services.checkpoints import CHECKPOINT, CONFIG, Checkpoints
from moorage_services.pools import Pool
from moorage_testkit.fakes.metadata import MemoryMetadata
from moorage_testkit.fakes.tasks import MemoryTasks

CONTAINER = Container("web", Runtime("r"), Payload("spec", b"{}"))


class Recording(Differ):
    """Says what it was asked for; ``fill`` makes what is in an image."""

    def __init__(self, fill: Callable[[Path], object] = lambda folder: None) -> None:
        self.upper: Sequence[Mount] = ()
        self.layer = Descriptor("", "", 0)
        self._fill = fill

    def apply(
        self, layer: Descriptor, mounts: Any, content: ContentStore, *, sync: bool = False, payloads: Any = None
    ) -> Descriptor:
        assert [(each.type, each.read_only) for each in mounts] == [("bind", False)]
        self.layer = layer
        self._fill(Path(mounts[0].source))
        return layer

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


IMAGE = Descriptor(CHECKPOINT, digests.of(b"image"), 5)


def test_an_image_of_the_store_is_unpacked_for_whoever_takes_it_away(pool: Pool, tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "deep").mkdir()
        (folder / "deep" / "core-1.img").write_text("state")

    async def run() -> None:
        differ, view = Recording(fill), MemoryMetadata().view("ns")
        checkpoints = Checkpoints((differ,), pool, tmp_path)
        async with checkpoints.unpacked(view, IMAGE) as folder:
            assert (Path(folder).stat().st_mode & 0o777, Path(folder).parent) == (0o700, tmp_path)
            Path(folder, "deep").rename(tmp_path / "mine")
        assert (differ.layer.media_type, differ.layer.digest) == (OCI_LAYER, IMAGE.digest)
        assert [each.name for each in tmp_path.iterdir()] == ["mine"]

    asyncio.run(run())


def test_without_an_image_and_with_one_that_lies_elsewhere_nothing_is_unpacked(pool: Pool, tmp_path: Path) -> None:
    async def run() -> None:
        checkpoints = Checkpoints((), pool, tmp_path)
        for image in (None, Descriptor("", "", 0, {RESTORE_FROM: "/image"})):
            async with checkpoints.unpacked(MemoryMetadata().view("ns"), image) as folder:
                assert folder == ""

    asyncio.run(run())


@pytest.mark.parametrize("nasty", [
    lambda folder: (folder / "core-1.img").symlink_to("/etc/shadow"), lambda folder: (folder / "x").symlink_to("/etc"),
    lambda folder: os.mkfifo(folder / "core-1.img"),
    lambda folder: ((folder / "a").mkdir(), (folder / "a" / "b").symlink_to("/etc/shadow")),
])  # fmt: skip
def test_an_image_holds_files_only_for_criu_follows_names_as_root(
    pool: Pool, tmp_path: Path, nasty: Callable[[Path], object]
) -> None:
    async def run() -> None:
        async with Checkpoints((Recording(nasty),), pool, tmp_path).unpacked(MemoryMetadata().view("ns"), IMAGE):
            raise AssertionError("it was taken")

    with pytest.raises(errors.InvalidArgument, match="neither a file nor a directory"):
        asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_checkpoint_is_refused_in_containerds_words(pool: Pool, tmp_path: Path) -> None:
    async def run(image: Descriptor) -> None:
        async with Checkpoints((), pool, tmp_path).unpacked(MemoryMetadata().view("ns"), image):
            raise AssertionError("it was taken")

    with pytest.raises(errors.Error, match='unsupported checkpoint type "x"'):
        asyncio.run(run(Descriptor("x", IMAGE.digest, 5)))
    with pytest.raises(errors.Unimplemented):
        asyncio.run(run(IMAGE))
    assert list(tmp_path.iterdir()) == []
