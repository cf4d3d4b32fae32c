"""What takes more than one message: blobs, subscriptions, long lists, and callers that go away."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.messages import content, images, leases, namespaces, types
from moorage_sdk import digests, errors

HEADERS = [("containerd-namespace", "wire")]
OTHER = [("containerd-namespace", "other")]
MEBIBYTE = 1 << 20


def message(action: int, **fields: Any) -> content.WriteContentRequest:
    return content.WriteContentRequest(action=action, **fields)


async def write(client: Any, data: bytes, headers: Any = HEADERS, **commit: Any) -> str:
    """Store a blob as containerd's client does: STAT, WRITE in pieces, COMMIT."""
    digest = digests.of(data)
    async with client.stub("content").open("Write", metadata=headers) as stream:
        await stream.send(message(content.STAT, ref=f"write-{digest}", total=len(data), expected=digest))
        offset = (await stream.receive()).offset
        while offset < len(data):
            await stream.send(message(content.WRITE, offset=offset, data=data[offset : offset + MEBIBYTE]))
            offset = (await stream.receive()).offset
        await stream.send(message(content.COMMIT, offset=offset, total=len(data), expected=digest, **commit))
        assert (await stream.receive()).digest == digest
    return digest


def fresh(size: int = 64) -> bytes:
    return (uuid.uuid4().bytes * (size // 16 + 1))[:size]


def test_a_large_blob_comes_back_whole_and_in_parts(both: Any) -> None:
    async def talk(client: Any) -> None:
        data = fresh(20 * MEBIBYTE + 7)
        digest = await write(client, data, labels={"k": "v"})
        info = (await client.ask("content", "Info", {"digest": digest})).info
        assert (info.size, dict(info.labels)) == (len(data), {"k": "v"})
        whole = await client.ask("content", "Read", {"digest": digest})
        assert b"".join(each.data for each in whole) == data
        assert [each.offset for each in whole][:2] == [0, len(whole[0].data)]
        part = await client.ask("content", "Read", {"digest": digest, "offset": 5 * MEBIBYTE + 1, "size": 10})
        assert [(each.offset, each.data) for each in part] == [(0, data[5 * MEBIBYTE + 1 :][:10])]

    both.run(talk)


def test_a_blob_that_is_there_is_not_taken_again(both: Any) -> None:
    async def talk(client: Any) -> None:
        digest = await write(client, fresh())
        with pytest.raises(errors.AlreadyExists):
            async with client.stub("content").open("Write", metadata=HEADERS) as stream:
                await stream.send(message(content.STAT, ref="again", expected=digest))
                await stream.receive()

    both.run(talk)


def test_a_blob_of_another_namespace_needs_no_data(both: Any) -> None:
    async def talk(client: Any) -> None:
        data = fresh()
        digest = await write(client, data)
        async with client.stub("content").open("Write", metadata=OTHER) as stream:
            await stream.send(message(content.STAT, ref="shared", total=len(data), expected=digest))
            assert (await stream.receive()).offset == len(data)
            await stream.send(message(content.COMMIT, offset=len(data), total=len(data), expected=digest))
            assert (await stream.receive()).digest == digest
        assert await client.verdict("content", "Info", {"digest": digest}, namespace="other") == "OK"

    both.run(talk)


def test_an_ingest_is_locked_while_it_is_written_and_resumed_afterwards(both: Any) -> None:
    async def talk(client: Any) -> None:
        stub, ref = client.stub("content"), f"ref-{uuid.uuid4()}"
        async with stub.open("Write", metadata=HEADERS) as first:
            await first.send(message(content.WRITE, ref=ref, data=b"abc"))
            assert (await first.receive()).offset == 3
            with pytest.raises(errors.Unavailable, match="locked"):
                async with stub.open("Write", metadata=HEADERS) as second:
                    await second.send(message(content.STAT, ref=ref))
                    await second.receive()
            await first.done_sending()
            while await first.receive() is not None:
                pass
        async with stub.open("Write", metadata=HEADERS) as third:
            await third.send(message(content.STAT, ref=ref))
            assert (await third.receive()).offset == 3
            await third.send(message(content.COMMIT, offset=3))
            assert (await third.receive()).digest == digests.of(b"abc")

    both.run(talk)


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_caller_that_goes_away_frees_the_reference(both: Any, after: int) -> None:
    async def talk(client: Any) -> None:
        stub, ref = client.stub("content"), f"ref-{uuid.uuid4()}"
        async with stub.open("Write", metadata=HEADERS) as stream:
            for number in range(after):
                await stream.send(message(content.WRITE, ref=ref, offset=number, data=b"x"))
                await stream.receive()
            # Leaving the block cancels the call.
        async with asyncio.timeout(10):
            while await client.verdict("content", "Abort", {"ref": ref}) != "OK":
                await asyncio.sleep(0.02)

    both.run(talk)


@pytest.mark.parametrize(
    ("commit", "error"),
    [
        ({"total": 4}, errors.FailedPrecondition),
        ({"expected": digests.of(b"other")}, errors.FailedPrecondition),
        ({"offset": 2}, errors.OutOfRange),
    ],
)
def test_a_commit_of_something_else_fails(both: Any, commit: dict[str, Any], error: type[errors.Error]) -> None:
    async def talk(client: Any) -> None:
        async with client.stub("content").open("Write", metadata=HEADERS) as stream:
            await stream.send(message(content.WRITE, ref=f"ref-{uuid.uuid4()}", data=b"abc"))
            await stream.receive()
            await stream.send(message(content.COMMIT, **{"offset": 3, **commit}))
            with pytest.raises(error):
                await stream.receive()

    both.run(talk)


def test_long_lists_come_in_batches(both: Any) -> None:
    async def talk(client: Any) -> None:
        lease = (await client.ask("leases", "Create", {}, namespace="other")).lease.id  # or a collection takes them
        for number in range(120):
            await write(client, b"batch %d" % number, [*OTHER, ("containerd-lease", lease)])
        batches = await client.ask("content", "List", namespace="other")
        found = [info.digest for batch in batches for info in batch.info]
        assert len(found) >= 120
        assert found == sorted(found)
        assert max(len(batch.info) for batch in batches) <= 100

    both.run(talk)


def test_events_are_heard_by_those_who_asked_for_them(both: Any) -> None:
    async def talk(client: Any) -> None:
        name = f"image-{uuid.uuid4()}"
        stub = client.stub("events")
        request = stub.service.methods["Subscribe"].request(filters=['topic=="/images/create"', "topic~=custom"])
        heard: list[types.Envelope] = []

        async def listen() -> None:
            async for envelope in stub.receive("Subscribe", request):
                heard.append(envelope)

        listening = asyncio.create_task(listen())
        try:
            async with asyncio.timeout(20):
                # containerd does not say when a subscription stands, so knock until it answers.
                while not heard:
                    await client.ask("events", "Publish", {"topic": "/custom/knock", "event": Packed(type_url="t")})
                    await asyncio.sleep(0.02)
                target = types.Descriptor(media_type="m", digest=digests.of(b"x"), size=1)
                image = images.Image(name=name, target=target, labels={"k": "v"})
                await client.ask("images", "Create", {"image": image}, namespace="other")
                await client.ask("images", "Delete", {"name": name}, namespace="other")
                while heard[-1].topic != "/images/create":
                    await asyncio.sleep(0.02)
            event = heard[-1]
            assert (event.namespace, event.event.type_url) == ("other", "containerd.services.images.v1.ImageCreate")
            created = images.ImageCreate.FromString(event.event.value)
            assert (created.name, dict(created.labels)) == (name, {"k": "v"})
            assert not [each for each in heard if each.topic == "/images/delete"]
        finally:
            listening.cancel()

    both.run(talk)


def test_a_namespaces_events_are_published_inside_it(both: Any) -> None:
    async def talk(client: Any) -> None:
        name, stub = f"ns-{uuid.uuid4().hex[:8]}", client.stub("events")
        request = stub.service.methods["Subscribe"].request(filters=["topic~=namespaces", "topic~=knock"])
        heard: list[types.Envelope] = []

        async def listen() -> None:
            async for envelope in stub.receive("Subscribe", request):
                heard.append(envelope)

        listening = asyncio.create_task(listen())
        try:
            async with asyncio.timeout(20):
                while not heard:
                    await client.ask("events", "Publish", {"topic": "/custom/knock", "event": Packed(type_url="t")})
                    await asyncio.sleep(0.02)
                named = name if both.containerd else ""  # containerd 1.6 publishes in the caller's, which must be one
                namespace = namespaces.Namespace(name=name)
                await client.ask("namespaces", "Create", {"namespace": namespace}, namespace=named)
                await client.ask("namespaces", "Delete", {"name": name}, namespace=named)
                while heard[-1].topic != "/namespaces/delete":
                    await asyncio.sleep(0.02)
            told = [(each.topic, each.namespace) for each in heard if "namespaces" in each.topic]
            assert told == [("/namespaces/create", name), ("/namespaces/delete", name)]
        finally:
            listening.cancel()

    both.run(talk)


def test_a_lease_keeps_content_until_it_is_deleted_synchronously(both: Any) -> None:
    async def talk(client: Any) -> None:
        lease = (await client.ask("leases", "Create", {"id": f"lease-{uuid.uuid4()}"})).lease.id
        digest = await write(client, fresh(), [*HEADERS, ("containerd-lease", lease)])
        held = (await client.ask("leases", "ListResources", {"id": lease})).resources
        assert list(held) == [leases.Resource(id=digest, type="content")]
        other = (await client.ask("leases", "Create", {})).lease.id
        await client.ask("leases", "Delete", {"id": other, "sync": True})
        assert await client.verdict("content", "Info", {"digest": digest}) == "OK"
        await client.ask("leases", "Delete", {"id": lease, "sync": True})
        assert await client.verdict("content", "Info", {"digest": digest}) == "NotFound"

    both.run(talk)
