"""Archives and names by Transfer, played on both daemons: what is answered, told, stored, and every byte of an export.

Both ends of the window protocol are written out here once more, so that no mistake is made twice.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from moorage_api.convert import typeurls
from moorage_api.messages import streaming, transfer, transfer_types, types
from moorage_sdk import digests, errors, platforms
from moorage_sdk.descriptors import OCI_INDEX
from moorage_testkit import images
from moorage_testkit.archives import Tar
from moorage_testkit.images import File, Layout, layer

SINCE = (2,)
ImageStore, Reference = transfer_types.ImageStore, transfer_types.ImageReference
ImageImportStream, ImageExportStream = transfer_types.ImageImportStream, transfer_types.ImageExportStream
TAGS = [Reference(name="r.test/img", is_prefix=True)]
HERE = types.Platform(os="linux", architecture=platforms.host().architecture)
ARM = types.Platform(os="linux", architecture="arm", variant="v7")


class Transferring:
    """A client's side of transfers in a scene."""

    def __init__(self, say: Any) -> None:
        self.say = say
        self._headers = [("containerd-namespace", say.namespace), ("containerd-lease", "scene")]
        self._names = 0

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[tuple[str, Any]]:
        """A named stream."""
        self._names += 1
        name = f"stream-{self._names}"
        async with self.say.client.stub("streaming").open("Stream", metadata=self._headers) as wire:
            await wire.send(typeurls.pack(streaming.StreamInit(id=name)))
            assert await wire.receive() is not None
            yield name, wire

    async def __call__(self, note: str, source: Message, destination: Message) -> None:
        """A transfer with progress, which is part of the transcript."""
        lines: list[Message] = []
        async with self.stream() as (name, wire):
            hearing = asyncio.create_task(self._hear(wire, lines))
            request = transfer.TransferRequest(
                source=typeurls.pack(source),
                destination=typeurls.pack(destination),
                options=transfer.TransferOptions(progress_stream=name),
            )
            try:
                answer = await self.say.client.ask(
                    "transfer", "Transfer", request, namespace=self.say.namespace, lease="scene"
                )
                self.say.transcript.answered(f"Transfer({note})", answer)
            except errors.Error as error:
                self.say.transcript.refused(f"Transfer({note})", error)
            await asyncio.wait([hearing], timeout=10)
            hearing.cancel()
        for line in lines:
            self.say.transcript.noted(f"progress({note})", line)

    async def take(self, note: str, data: bytes, store: Message, **fields: Any) -> None:
        """Import an archive."""
        async with self.stream() as (name, wire):
            sending = asyncio.create_task(self._send(wire, data))
            await self(note, ImageImportStream(stream=name, **fields), store)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def give(self, note: str, *names: str, **fields: Any) -> bytes:
        """Export images."""
        store = ImageStore(extra_references=[Reference(name=name) for name in names])
        received = bytearray()
        async with AsyncExitStack() as stack:
            name, wire = await stack.enter_async_context(self.stream())
            receiving = asyncio.create_task(self._receive(wire, received))
            await self(note, store, ImageExportStream(stream=name, **fields))
            await asyncio.wait([receiving], timeout=1)  # containerd leaves the stream open
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
        self.say.transcript.said(f"archive({note})", size=len(received), digest=digests.of(bytes(received)))
        return bytes(received)

    async def state(self) -> None:
        """Images, and content with its labels."""
        await self.say("images", "List", "afterwards")
        [found] = await self.say.client.ask("content", "List", namespace=self.say.namespace)
        for info in sorted(found.info, key=lambda info: str(info.digest)):
            info.ClearField("created_at")
            info.ClearField("updated_at")
            self.say.transcript.noted(f"content {info.digest}", info)

    async def _hear(self, wire: Any, lines: list[Message]) -> None:
        while (packed := await wire.receive()) is not None:
            lines.append(typeurls.unpack(packed))

    async def _send(self, wire: Any, data: bytes) -> None:
        window = 0
        while data:
            while window <= 0:
                packed = await wire.receive()
                if packed is None:
                    return
                window += typeurls.unpack(packed).update  # type: ignore[attr-defined]
            piece = data[: min(window, 32 << 10)]
            await wire.send(typeurls.pack(transfer_types.Data(data=piece)))
            data, window = data[len(piece) :], window - len(piece)
        await wire.done_sending()

    async def _receive(self, wire: Any, received: bytearray) -> None:
        await wire.send(typeurls.pack(transfer_types.WindowUpdate(update=1 << 30)))
        while (packed := await wire.receive()) is not None:
            received += typeurls.unpack(packed).data  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An OCI layout with an image and an index of three."""
    layout = Layout(tmp_path_factory.mktemp("layout") / "layout")
    layout.tag("layered", images.layered(layout))
    layout.tag("multi", images.multi_platform(layout, (str(platforms.host()), "linux/arm/v7", "linux/s390x")))
    return images.archive(layout, layout.path.with_suffix(".tar")).read_bytes()


def saved(*tags: str, config: dict[str, Any] | None = None, **entry: Any) -> bytes:
    """What ``docker save`` of old wrote."""
    content = layer([File("etc/keep", b"2")])
    document = {"os": "linux", "architecture": platforms.host().architecture, **(config or {})}
    data = json.dumps({**document, "rootfs": {"diff_ids": [digests.of(content)]}}).encode()
    listed = [{"Config": "c.json", "RepoTags": list(tags), "Layers": ["l/layer.tar"], **entry}]
    tar = Tar().folder("l").file("l/VERSION", b"1.0").file("l/layer.tar", content).file("c.json", data)
    return tar.file("manifest.json", json.dumps(listed).encode()).file("repositories", b"{}").end()


@pytest.mark.parametrize(
    "store",
    [
        ImageStore(extra_references=TAGS),
        ImageStore(name="r.test/index:1", labels={"l": "m"}, extra_references=TAGS),
        ImageStore(extra_references=[Reference(name="x", is_prefix=True, allow_overwrite=True, add_digest=True)]),
        ImageStore(extra_references=[Reference(name="x", is_prefix=True, add_digest=True, skip_named_digest=True)]),
        ImageStore(name="r.test/index:1", extra_references=[Reference(name="r.test/further:2")]),
        ImageStore(extra_references=TAGS, platforms=[ARM]),
        ImageStore(extra_references=TAGS, platforms=[ARM], all_metadata=True),
        ImageStore(extra_references=TAGS, platforms=[ARM, HERE], manifest_limit=1),
        ImageStore(),
    ],
    ids=["tags", "index", "digests", "skipped", "further", "platform", "metadata", "limit", "nameless"],
)
def test_a_layout(same: Any, layout: bytes, store: Message) -> None:
    async def play(say: Any) -> None:
        client = Transferring(say)
        await client.take("it", layout, store)
        await client.take("again", layout, store)
        await client.state()

    same(play, since=SINCE)


def test_unpacking(same: Any, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.tag("layered", images.layered(layout))
    data = images.archive(layout, tmp_path / "tar").read_bytes()

    async def play(say: Any) -> None:
        client = Transferring(say)
        unpacks = [transfer_types.UnpackConfiguration(platform=HERE)]
        await client.take("it", data, ImageStore(extra_references=TAGS, platforms=[HERE], unpacks=unpacks))
        await client.state()

    same(play, since=SINCE)


@pytest.mark.parametrize(
    "platform", [{}, {"variant": "v8", "architecture": "arm64"}, {"os": "windows", "os.version": "10.1"}]
)
def test_what_docker_saved_of_old(same: Any, platform: dict[str, Any]) -> None:
    async def play(say: Any) -> None:
        client = Transferring(say)
        store = ImageStore(
            extra_references=[Reference(name="x", is_prefix=True, allow_overwrite=True, add_digest=True)]
        )
        await client.take("it", saved("busybox", "a.io/b/c:1", config=platform), store)
        await client.state()

    same(play, since=SINCE)


def entry(data: bytes, **fields: Any) -> dict[str, Any]:
    return {"mediaType": OCI_INDEX, "digest": digests.of(data), "size": len(data), **fields}


def indexed(index: Any, version: str = "1.0.0") -> bytes:
    tar = Tar().file("oci-layout", json.dumps({"imageLayoutVersion": version}).encode())
    return tar.file("index.json", json.dumps(index).encode()).end()


@pytest.mark.parametrize(
    "data",
    [
        Tar().file("hello", b"x").end(), indexed({"manifests": []}), indexed({}, "7"), saved(Layers=["none"]),
        saved(Config="none"), indexed({"manifests": [entry(b"x")]}), b"no tar at all" * 100, b"",
        indexed({"manifests": [entry(b"x", mediaType="text/plain")]}),
    ],
    ids=["unknown", "empty", "version", "layer", "config", "missing", "text", "nothing", "other"],
)  # fmt: skip
def test_what_is_no_archive(same: Any, data: bytes) -> None:
    async def play(say: Any) -> None:
        client = Transferring(say)
        await client.take("it", data, ImageStore(name="r.test/x:1", extra_references=TAGS))
        await say("images", "List", "afterwards")

    same(play, since=SINCE)


def test_exports_are_the_same_to_the_byte(same: Any, layout: bytes) -> None:
    async def play(say: Any) -> None:
        client = Transferring(say)
        await client.take("it", layout, ImageStore(extra_references=TAGS))
        await client.take(
            "old",
            saved("busybox"),
            ImageStore(extra_references=[Reference(name="x", is_prefix=True, allow_overwrite=True)]),
        )
        layered, multi, old = "r.test/img:layered", "r.test/img:multi", "docker.io/library/busybox:latest"
        await say(
            "content",
            "Update",
            info={
                "digest": digest_of(layout, "layered"),
                "labels": {"containerd.io/distribution.source.r.test": "img"},
            },
            update_mask={"paths": ["labels.containerd.io/distribution.source.r.test"]},
        )
        await client.give("image", layered)
        await client.give("docker image", old)
        await client.give("index", multi)
        await client.give("all platforms", multi, all_platforms=True)
        await client.give("one platform", multi, platforms=[ARM])
        await client.give("two platforms", multi, platforms=[ARM, HERE])
        await client.give("no platform", multi, platforms=[types.Platform(os="linux", architecture="riscv64")])
        await client.give("without a list", layered, skip_compatibility_manifest=True)
        await client.give("without foreign layers", layered, skip_non_distributable=True)
        await client.give("twice", layered, layered)
        await client.give("unknown", "r.test/none:1")

    same(play, since=SINCE)


def digest_of(layout: bytes, name: str) -> str:
    """Of what a layout calls so."""
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(layout)) as tar:
        index = json.load(tar.extractfile("index.json"))  # type: ignore[arg-type]
    return next(
        e["digest"] for e in index["manifests"] if e["annotations"]["org.opencontainers.image.ref.name"] == name
    )


def test_names(same: Any, layout: bytes) -> None:
    async def play(say: Any) -> None:
        client = Transferring(say)
        await client.take("it", layout, ImageStore(extra_references=TAGS))
        source = ImageStore(name="r.test/img:layered")
        await client("one", source, ImageStore(name="b", labels={"l": "m"}))
        await client("again", source, ImageStore(name="b"))
        await client("further", source, ImageStore(extra_references=[Reference(name="c"), *TAGS]))
        await client(
            "bound",
            source,
            ImageStore(name="d", extra_references=[Reference(name="e", is_prefix=True, add_digest=True)]),
        )
        await client("none", source, ImageStore())
        await client("unknown", ImageStore(name="none"), ImageStore(name="f"))
        await client("to nothing", ImageStore(), ImageStore(name="f"))
        await say("images", "List", "afterwards")

    same(play, since=SINCE)


def test_ends_that_do_not_fit_and_streams_that_are_not_there(same: Any) -> None:
    async def play(say: Any) -> None:
        client = Transferring(say)
        await client("import", ImageImportStream(stream="none"), ImageStore(name="a"))
        await client("export", ImageStore(name="a"), ImageExportStream(stream="none"))
        await client("backwards", ImageExportStream(stream="none"), ImageStore(name="a"))
        await client("registries", transfer_types.OCIRegistry(reference="a.io/b:c"), transfer_types.OCIRegistry())
        async with client.stream() as (name, _):
            prefixes = ImageStore(extra_references=TAGS)
            await client("prefix", prefixes, ImageExportStream(stream=name))

    same(play, since=SINCE)


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_bytes_come_back(same: Any, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    async def play(say: Any) -> None:
        client = Transferring(say)
        received = bytearray()
        async with client.stream() as (there, to), client.stream() as (back, fro):
            moving = [asyncio.create_task(client._send(to, data)), asyncio.create_task(client._receive(fro, received))]
            await client("echo", ImageImportStream(stream=there), ImageExportStream(stream=back))
            await asyncio.wait(moving, timeout=1)
            for task in moving:
                task.cancel()
            await asyncio.gather(*moving, return_exceptions=True)
        assert bytes(received) == data

    same(play, since=SINCE)


def test_streams_end_with_their_lease(same: Any, tmp_path: Path) -> None:
    async def play(say: Any) -> None:
        await say("leases", "Create", id="short")
        headers = [("containerd-namespace", say.namespace)]
        stub = say.client.stub("streaming")
        async with (
            stub.open("Stream", metadata=[*headers, ("containerd-lease", "short")]) as leased,
            stub.open("Stream", metadata=headers) as free,
        ):
            for name, wire in (("leased", leased), ("free", free)):
                await wire.send(typeurls.pack(streaming.StreamInit(id=name)))
                say.transcript.answered(f"Stream({name})", await wire.receive())
            await say("leases", "Delete", id="short", sync=True)
            ended = await asyncio.wait_for(leased.receive(), 20)
            say.transcript.said("leased", ended=ended is None)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(free.receive(), 0.3)
            async with stub.open("Stream", metadata=headers) as again:
                await again.send(typeurls.pack(streaming.StreamInit(id="leased")))
                say.transcript.answered("Stream(again)", await again.receive())

    same(play, since=SINCE)
