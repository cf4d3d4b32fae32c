"""What requests come to, by the kinds of their ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from moorage_api.convert import typeurls
from moorage_api.messages import transfer_types
from moorage_sdk import errors
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.images import Image
from moorage_sdk.metadata import View
from moorage_sdk.transfers import Export, Import, Pull, Push, Report, Tag, Transfer
from moorage_services.errands import Errand, Kind
from moorage_services.registers import Streams
from moorage_services.streams import Stream
from moorage_testkit.fakes.metadata import MemoryMetadata

TARGET = Descriptor(OCI_MANIFEST, "sha256:" + "a" * 64, 7)
DATA = b"archive" * 30_000


class Pulling(Transfer):
    """Knows no archives."""

    def pull(self, view: View, pull: Pull, report: Report) -> Image:
        return Image(pull.name, TARGET)

    def push(self, view: View, push: Push, report: Report) -> Image:
        return Image(push.name, TARGET)


class Archiving(Pulling):
    """Reads and writes bytes that are no archive at all."""

    def __init__(self) -> None:
        self.read = b""
        self.tags: list[Tag] = []

    def import_archive(self, view: View, request: Import, report: Report) -> list[Image]:
        while data := request.source.read(1000):
            self.read += data
        if self.read == b"bad":
            raise errors.DataLoss("archive: bad: data loss")
        return [Image(request.store.name, TARGET)]

    def export_archive(self, view: View, request: Export, report: Report) -> None:
        for start in range(0, len(DATA), 7):
            request.sink.write(DATA[start : start + 7])
        if request.names == ("bad",):
            raise errors.DataLoss("archive: bad: data loss")

    def tag(self, view: View, request: Tag) -> list[Image]:
        self.tags.append(request)
        return []


class World:
    def __init__(self, transfer: Transfer) -> None:
        self.streams = Streams()
        self.errand = Errand(transfer, self.streams, MemoryMetadata().view("ns"), lambda progress: None)

    def open(self, name: str) -> Stream:
        stream = Stream(asyncio.get_running_loop())
        self.streams.register("ns", name, stream)
        return stream

    def work(self, source: Message, destination: Message) -> tuple[Kind, Callable[[], object]]:
        return self.errand.work(typeurls.pack(source), typeurls.pack(destination))


def run(main: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(main(), 30))  # type: ignore[arg-type]


async def all_bytes(stream: Stream) -> bytes:
    """What the daemon sends until it ends the stream."""
    received = b""
    stream.received(typeurls.pack(transfer_types.WindowUpdate(update=1 << 30)))
    async for packed in stream.outgoing():
        message: Any = typeurls.unpack(packed)
        received += getattr(message, "data", b"")
    return received


STORE = transfer_types.ImageStore(name="n")
REGISTRY = transfer_types.OCIRegistry(reference="a.io/b:c")
IMPORT = transfer_types.ImageImportStream(stream="in")
EXPORT = transfer_types.ImageExportStream(stream="out")


@pytest.mark.parametrize(
    ("source", "destination", "kind"),
    [
        (REGISTRY, STORE, Kind.NETWORK),
        (STORE, REGISTRY, Kind.NETWORK),
        (STORE, STORE, Kind.STORAGE),
        (IMPORT, STORE, Kind.CLIENT),
        (STORE, EXPORT, Kind.CLIENT),
        (IMPORT, EXPORT, Kind.CLIENT),
    ],
)
def test_every_pair_waits_for_something_else(source: Message, destination: Message, kind: Kind) -> None:
    async def main() -> None:
        world = World(Archiving())
        world.open("in")
        world.open("out")
        assert world.work(source, destination)[0] is kind

    run(main)


def test_an_import_reads_the_stream_and_ends_it() -> None:
    async def main() -> None:
        transfer = Archiving()
        world = World(transfer)
        stream = world.open("in")
        for start in range(0, len(DATA), 30_000):
            stream.received(typeurls.pack(transfer_types.Data(data=DATA[start : start + 30_000])))
        stream.received(None)
        await asyncio.to_thread(world.work(IMPORT, STORE)[1])
        assert transfer.read == DATA
        with pytest.raises(errors.Unavailable):
            stream.send(transfer_types.Progress())

    run(main)


def test_a_failed_import_ends_its_stream_too() -> None:
    async def main() -> None:
        world = World(Archiving())
        stream = world.open("in")
        stream.received(typeurls.pack(transfer_types.Data(data=b"bad")))
        stream.received(None)
        with pytest.raises(errors.DataLoss):
            await asyncio.to_thread(world.work(IMPORT, STORE)[1])
        with pytest.raises(errors.Unavailable):
            stream.send(transfer_types.Progress())

    run(main)


@pytest.mark.parametrize("name", ["good", "bad"])
def test_an_export_fills_the_stream_and_ends_it(name: str) -> None:
    async def main() -> None:
        world = World(Archiving())
        stream = world.open("out")
        reading = asyncio.create_task(all_bytes(stream))
        work = world.work(transfer_types.ImageStore(name=name), EXPORT)[1]
        if name == "bad":
            with pytest.raises(errors.DataLoss):
                await asyncio.to_thread(work)
            assert len(await reading) < len(DATA)
        else:
            await asyncio.to_thread(work)
            assert await reading == DATA
        assert world.errand.streams == [stream]

    run(main)


@pytest.mark.parametrize("data", [b"", b"small", DATA])
def test_bytes_come_back_as_they_went(data: bytes) -> None:
    async def main() -> None:
        world = World(Archiving())
        incoming, outgoing = world.open("in"), world.open("out")
        incoming.received(typeurls.pack(transfer_types.Data(data=data)))
        incoming.received(None)
        reading = asyncio.create_task(all_bytes(outgoing))
        await asyncio.to_thread(world.work(IMPORT, EXPORT)[1])
        assert await reading == data

    run(main)


def test_a_tag_is_what_the_client_asked_for() -> None:
    transfer = Archiving()
    World(transfer).work(transfer_types.ImageStore(name="from"), STORE)[1]()
    [tag] = transfer.tags
    assert (tag.source, tag.store.name) == ("from", "n")


@pytest.mark.parametrize(("source", "destination"), [(IMPORT, STORE), (STORE, EXPORT), (STORE, STORE)])
def test_a_transfer_that_knows_no_archives_does_not_implement_them(source: Message, destination: Message) -> None:
    with pytest.raises(errors.Unimplemented):
        World(Pulling()).work(source, destination)


@pytest.mark.parametrize(
    ("source", "destination"), [(IMPORT, STORE), (STORE, EXPORT), (IMPORT, EXPORT), (EXPORT, STORE), (REGISTRY, EXPORT)]
)
def test_streams_must_be_known(source: Message, destination: Message) -> None:
    with pytest.raises(errors.NotFound, match="stream"):
        World(Archiving()).work(source, destination)


def test_a_half_open_stream_keeps_nobody_who_has_given_up() -> None:
    async def main() -> None:
        world = World(Archiving())
        world.open("in")
        work = asyncio.create_task(asyncio.to_thread(world.work(IMPORT, STORE)[1]))
        await asyncio.sleep(0.1)
        assert not work.done()
        world.errand.give_up()
        with pytest.raises(errors.Cancelled):
            await work

    run(main)
