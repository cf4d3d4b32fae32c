import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from moorage_api.messages import content
from moorage_client.clients import Client
from moorage_client.contents import CHUNK, SERVICE
from moorage_sdk import digests, errors
from moorage_sdk.content import Info
from moorage_sdk.descriptors import Descriptor


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for each in data:
        yield each


def test_a_blob_is_written_in_chunks_and_read_back(talk: Any, store: Any) -> None:
    data = bytes(range(256)) * 10_000

    async def work(client: Client) -> bytes:
        digest = await client.contents.write("r", pieces(data[:7], data[7:]), size=len(data), labels={"a": "b"})
        assert digest == digests.of(data)
        return b"".join([piece async for piece in client.contents.read(digest, offset=5)])

    assert len(data) > 2 * CHUNK
    assert talk(store.handlers(), work) == data[5:]
    assert store.labels[digests.of(data)] == {"a": "b"}


def test_a_blob_that_exists_is_not_sent(talk: Any, store: Any) -> None:
    blob = store.add("m", b"here")

    async def work(client: Client) -> str:
        return await client.contents.write("r", pieces(b"here"), size=4, expected=blob.digest)

    assert talk(store.handlers(), work) == blob.digest
    assert store.sent == 0


def test_an_ingest_that_was_begun_is_begun_again(talk: Any, store: Any) -> None:
    store.ingests["r"] = bytearray(b"stale")

    async def work(client: Client) -> str:
        return await client.contents.write("r", pieces(b"fresh and longer"), size=16)

    assert talk(store.handlers(), work) == digests.of(b"fresh and longer")


def test_a_complete_ingest_needs_no_data(talk: Any, store: Any) -> None:
    """How a daemon offers a blob of another namespace."""
    store.ingests["r"] = bytearray(b"whole")

    async def work(client: Client) -> str:
        return await client.contents.write("r", pieces(b"whole"), size=5, expected=digests.of(b"whole"))

    assert talk(store.handlers(), work) == digests.of(b"whole")
    assert store.sent == 0


def test_what_is_not_as_promised_leaves_no_ingest(talk: Any, store: Any) -> None:
    async def work(client: Client) -> None:
        with pytest.raises(errors.FailedPrecondition):
            await client.contents.write("r", pieces(b"abc"), size=3, expected=digests.of(b"abd"))

    talk(store.handlers(), work)
    assert store.ingests == {}
    assert store.blobs == {}


def test_a_locked_reference_is_tried_again(talk: Any, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []
    handlers = store.handlers()
    write = handlers[SERVICE]["Write"]

    async def locked_twice(requests: Any, context: Any) -> AsyncIterator[Any]:
        attempts.append(1)
        if len(attempts) < 3:
            raise errors.Unavailable('ref "r" locked for 1s: unavailable')
        async for answer in write(requests, context):
            yield answer

    handlers[SERVICE]["Write"] = locked_twice
    monkeypatch.setattr("random.uniform", lambda low, high: 0.001)

    async def work(client: Client) -> str:
        return await client.contents.write("r", pieces(b"abc"))

    assert talk(handlers, work) == digests.of(b"abc")
    assert len(attempts) == 3


def test_a_writer_tells_how_far_it_is_and_lets_go(talk: Any, store: Any) -> None:
    handlers = store.handlers()
    write, over = handlers[SERVICE]["Write"], []

    async def noted(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for answer in write(requests, context):
            answer.total = 9
            yield answer
        over.append(True)

    handlers[SERVICE]["Write"] = noted

    async def work(client: Client) -> None:
        async with client.contents.writer("r", size=9) as writer:
            await writer.write(b"abc")
            status = await writer.status()
            assert (status.ref, status.offset, status.total) == ("r", 3, 9)
            assert (writer.offset, writer.digest) == (3, digests.of(b"abc"))
            await writer.close()
            assert over == [True]

    talk(handlers, work)


def test_small_blobs_are_checked(talk: Any, store: Any) -> None:
    good = store.add("m", b"good")
    bad = Descriptor("m", digests.of(b"right"), 5)
    store.blobs[bad.digest] = b"wrong"

    async def work(client: Client) -> None:
        assert await client.contents.read_whole(good, 4) == b"good"
        with pytest.raises(errors.ResourceExhausted):
            await client.contents.read_whole(good, 3)
        with pytest.raises(errors.DataLoss):
            await client.contents.read_whole(bad, 10)
        with pytest.raises(errors.NotFound):
            await client.contents.read_whole(Descriptor("m", digests.of(b"none"), 1), 10)

    talk(store.handlers(), work)


def test_the_other_methods(talk: Any) -> None:
    log: list[Any] = []

    async def list_(request: Any, context: Any) -> AsyncIterator[Any]:
        log.append(list(request.filters))
        yield content.ListContentResponse(info=[content.Info(digest="a", size=1), content.Info(digest="b")])
        yield content.ListContentResponse(info=[content.Info(digest="c")])

    async def delete(request: Any, context: Any) -> Any:
        from google.protobuf.empty_pb2 import Empty

        log.append(request.digest)
        return Empty()

    async def status(request: Any, context: Any) -> Any:
        return content.StatusResponse(status=content.Status(ref=request.ref, offset=3, total=9))

    async def statuses(request: Any, context: Any) -> Any:
        return content.ListStatusesResponse(statuses=[content.Status(ref="x"), content.Status(ref="y")])

    async def info(request: Any, context: Any) -> Any:
        return content.InfoResponse(info=content.Info(digest=request.digest, size=7, labels={"a": "b"}))

    async def work(client: Client) -> None:
        assert [each.digest async for each in client.contents.walk(["f"])] == ["a", "b", "c"]
        await client.contents.delete("a")
        found = await client.contents.status("r")
        assert (found.ref, found.offset, found.total) == ("r", 3, 9)
        assert [each.ref for each in await client.contents.statuses()] == ["x", "y"]
        assert await client.contents.info("d") == Info("d", 7, labels={"a": "b"})

    handlers = {"List": list_, "Delete": delete, "Status": status, "ListStatuses": statuses, "Info": info}
    talk({SERVICE: handlers}, work)
    assert log == [["f"], "a"]


def test_no_labels_are_no_request(talk: Any) -> None:
    async def work(client: Client) -> None:
        await asyncio.wait_for(client.contents.label("d", {}), 5)

    talk({}, work)
