"""The content service."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from moorage_api.messages import content as api
from moorage_sdk import digests, errors
from moorage_services import contents
from moorage_services.contents import CHUNK, ContentService
from moorage_services.pools import Pool
from moorage_testkit.fakes.content import MemoryReader, MemoryStore
from moorage_testkit.fakes.metadata import MemoryMetadata

DATA = b"hello world"
DIGEST = digests.of(DATA)


@pytest.fixture
def metadata() -> MemoryMetadata:
    return MemoryMetadata()


@pytest.fixture
def store(metadata: MemoryMetadata) -> MemoryStore:
    store = metadata.view("ns").content
    assert isinstance(store, MemoryStore)
    return store


@pytest.fixture
def service(metadata: MemoryMetadata, pool: Pool) -> ContentService:
    return ContentService(metadata, pool, pool)


def put(store: MemoryStore, data: bytes, **labels: str) -> str:
    writer = store.writer(f"put-{digests.of(data)}")
    writer.write(data)
    return writer.commit(labels=labels)


async def stream(*messages: api.WriteContentRequest) -> AsyncIterator[api.WriteContentRequest]:
    for message in messages:
        yield message


def test_info_update_and_delete(service: ContentService, store: MemoryStore, call: Callable[..., Any]) -> None:
    async def run() -> None:
        put(store, DATA, k="v")
        info = (await service.info(api.InfoRequest(digest=DIGEST), call())).info
        assert (info.digest, info.size, dict(info.labels)) == (DIGEST, 11, {"k": "v"})
        request = api.UpdateRequest(
            info=api.Info(digest=DIGEST, labels={"k": "w", "l": "x"}), update_mask=FieldMask(paths=["labels.k"])
        )
        assert dict((await service.update(request, call())).info.labels) == {"k": "w"}
        await service.delete(api.DeleteContentRequest(digest=DIGEST), call())
        for gone in (
            service.info(api.InfoRequest(digest=DIGEST), call()),
            service.delete(api.DeleteContentRequest(digest=DIGEST), call()),
        ):
            with pytest.raises(errors.NotFound):
                await gone

    asyncio.run(run())


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:../../../etc/x", "md5:" + "0" * 32, "sha256:" + "A" * 64])
def test_malformed_digests_are_invalid_everywhere(
    service: ContentService, call: Callable[..., Any], digest: str
) -> None:
    async def run() -> None:
        for refused in (
            service.info(api.InfoRequest(digest=digest), call()),
            service.update(api.UpdateRequest(info=api.Info(digest=digest)), call()),
            service.delete(api.DeleteContentRequest(digest=digest), call()),
            service.read(api.ReadContentRequest(digest=digest), call()),
        ):
            with pytest.raises(errors.InvalidArgument):
                await refused

    asyncio.run(run())


@pytest.mark.parametrize(
    ("offset", "size", "wanted"),
    [(0, 0, DATA), (6, 0, b"world"), (6, 2, b"wo"), (6, 99, b"world"), (11, 0, b""), (-5, 3, b"hel"), (0, -1, DATA)],
)
def test_ranges(
    service: ContentService, store: MemoryStore, call: Callable[..., Any], offset: int, size: int, wanted: bytes
) -> None:
    async def run(from_memory: bool) -> None:
        if from_memory:
            await service.read(api.ReadContentRequest(digest=DIGEST), call())
        made = call()
        await service.read(api.ReadContentRequest(digest=DIGEST, offset=offset, size=size), made)
        assert b"".join(each.data for each in made.wire.sent) == wanted
        assert [each.offset for each in made.wire.sent] == ([0] if wanted else [])

    put(store, DATA)
    asyncio.run(run(from_memory=False))
    asyncio.run(run(from_memory=True))


def test_what_is_in_memory_is_read_without_a_file_and_only_where_it_is_known(
    service: ContentService, store: MemoryStore, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    reader = MemoryStore.reader
    monkeypatch.setattr(MemoryStore, "reader", lambda self, digest: opened.append(digest) or reader(self, digest))

    async def run() -> None:
        put(store, DATA)
        request = api.ReadContentRequest(digest=DIGEST)
        for _ in range(3):
            made = call()
            await service.read(request, made)
            assert [each.data for each in made.wire.sent] == [DATA]
        assert opened == [DIGEST]
        with pytest.raises(errors.OutOfRange):
            await service.read(api.ReadContentRequest(digest=DIGEST, offset=12), call())
        with pytest.raises(errors.NotFound):
            await service.read(request, call("other"))
        await service.delete(api.DeleteContentRequest(digest=DIGEST), call())
        with pytest.raises(errors.NotFound):
            await service.read(request, call())

    asyncio.run(run())


def test_long_blobs_come_in_chunks_counted_from_the_requested_offset(
    service: ContentService, store: MemoryStore, call: Callable[..., Any]
) -> None:
    digest = put(store, b"x" * (2 * CHUNK + 10))
    made = call()
    asyncio.run(service.read(api.ReadContentRequest(digest=digest, offset=5), made))
    assert [(each.offset, len(each.data)) for each in made.wire.sent] == [(0, CHUNK), (CHUNK, CHUNK), (2 * CHUNK, 5)]


def test_reading_past_the_end_is_out_of_range(
    service: ContentService, store: MemoryStore, call: Callable[..., Any]
) -> None:
    put(store, DATA)
    with pytest.raises(errors.OutOfRange):
        asyncio.run(service.read(api.ReadContentRequest(digest=DIGEST, offset=12), call()))


def test_a_reader_is_closed_when_its_caller_goes_away(
    service: ContentService, store: MemoryStore, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, DATA)
    closed: list[MemoryReader] = []
    monkeypatch.setattr(MemoryReader, "close", lambda reader: closed.append(reader))
    monkeypatch.setattr(contents, "CHUNK", 4)

    async def run() -> None:
        made = call()

        async def once(message: Any) -> None:
            if message.offset:
                await asyncio.get_running_loop().create_future()

        made.wire.write = once
        reading = asyncio.create_task(service.read(api.ReadContentRequest(digest=DIGEST), made))
        await asyncio.sleep(0.05)
        assert len(closed) == 1  # that of the first piece
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert len(closed) == 2

    asyncio.run(run())


def test_lists_are_filtered_and_batched(service: ContentService, store: MemoryStore, call: Callable[..., Any]) -> None:
    async def run() -> None:
        for number in range(150):
            put(store, str(number).encode(), parity=str(number % 2))
        made = call()
        await service.list(api.ListContentRequest(), made)
        assert [len(each.info) for each in made.wire.sent] == [100, 50]
        made = call()
        await service.list(api.ListContentRequest(filters=["labels.parity==1"]), made)
        assert [len(each.info) for each in made.wire.sent] == [75]
        made = call("empty")
        await service.list(api.ListContentRequest(), made)
        assert made.wire.sent == []

    asyncio.run(run())


def test_ingests_are_told_listed_and_aborted(
    service: ContentService, store: MemoryStore, call: Callable[..., Any]
) -> None:
    async def run() -> None:
        for ref in ("b", "a"):
            with store.writer(ref, size=9) as writer:
                writer.write(b"xyz")
        status = (await service.status(api.StatusRequest(ref="a"), call())).status
        assert (status.ref, status.offset, status.total) == ("a", 3, 9)
        listed = await service.list_statuses(api.ListStatusesRequest(filters=["ref==b"]), call())
        assert [each.ref for each in listed.statuses] == ["b"]
        await service.abort(api.AbortRequest(ref="a"), call())
        with pytest.raises(errors.NotFound):
            await service.abort(api.AbortRequest(ref="a"), call())

    asyncio.run(run())


def test_a_write_stream_answers_each_message_and_ends_with_its_commit(
    service: ContentService, store: MemoryStore, call: Callable[..., Any]
) -> None:
    made = call()
    requests = stream(
        api.WriteContentRequest(action=api.STAT, ref="r"),
        api.WriteContentRequest(action=api.WRITE, data=DATA),
        api.WriteContentRequest(action=api.COMMIT, offset=11, total=11, expected=DIGEST),
        api.WriteContentRequest(action=api.STAT),
    )
    asyncio.run(service.write(requests, made))
    assert [each.action for each in made.wire.sent] == [api.STAT, api.WRITE, api.COMMIT]
    assert store.blobs[DIGEST] == DATA


def test_a_stream_without_messages_is_refused(service: ContentService, call: Callable[..., Any]) -> None:
    with pytest.raises(errors.InvalidArgument):
        asyncio.run(service.write(stream(), call()))


def test_a_stream_that_ends_without_commit_leaves_an_ingest_that_can_be_resumed(
    service: ContentService, store: MemoryStore, call: Callable[..., Any]
) -> None:
    made = call()
    asyncio.run(service.write(stream(api.WriteContentRequest(action=api.WRITE, ref="r", data=b"abc")), made))
    assert [each.offset for each in made.wire.sent] == [3]
    assert store.writer("r").status().offset == 3


def test_the_reference_is_free_when_the_answer_to_a_commit_arrives(
    service: ContentService, store: MemoryStore, call: Callable[..., Any]
) -> None:
    made, seen = call(), list[bool]()

    async def look(message: Any) -> None:
        if message.action == api.COMMIT:
            store.writer("r").close()
            seen.append(True)

    made.wire.write = look
    requests = stream(
        api.WriteContentRequest(action=api.WRITE, ref="r", data=DATA),
        api.WriteContentRequest(action=api.COMMIT, offset=11),
    )
    asyncio.run(service.write(requests, made))
    assert seen == [True]


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_caller_that_goes_away_at_any_message_frees_the_reference(
    service: ContentService, store: MemoryStore, call: Callable[..., Any], after: int
) -> None:
    async def requests() -> AsyncIterator[api.WriteContentRequest]:
        for number in range(after):
            yield api.WriteContentRequest(action=api.WRITE, ref="r", offset=number, data=b"x")
        await asyncio.get_running_loop().create_future()

    async def run() -> None:
        writing = asyncio.create_task(service.write(requests(), call()))
        await asyncio.sleep(0.05)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        with store.writer("r") as writer:
            assert writer.status().offset == after

    asyncio.run(run())
