"""Requests that are too large, malformed, hostile or many."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import grpc
import pytest

from moorage_api.messages import content, images, namespaces, types
from moorage_sdk import digests, errors

HEADERS = [("containerd-namespace", "wire")]
LIMIT = 16 << 20
GET = "/containerd.services.images.v1.Images/Get"


@pytest.mark.parametrize(("size", "fits"), [(LIMIT, True), (LIMIT + 1, False)])
def test_messages_have_a_limit_and_the_connection_survives(both: Any, size: int, fits: bool) -> None:
    async def talk(client: Any) -> None:
        async with client.stub("content").open("Write", metadata=HEADERS) as stream:
            request = content.WriteContentRequest(action=content.WRITE, ref=f"ref-{uuid.uuid4()}", data=bytes(LIMIT))
            request.data = bytes(LIMIT + size - request.ByteSize())
            assert request.ByteSize() == size
            if fits:
                await stream.send(request)
                assert (await stream.receive()).offset == len(request.data)
            else:
                with pytest.raises(errors.ResourceExhausted):
                    await stream.send(request)
                    await stream.receive()
        assert await client.verdict("version", "Version") == "OK"

    both.run(talk)


def padded(name: str, size: int) -> namespaces.Namespace:
    """A namespace of so many bytes, in labels of which none is too long by itself."""
    made = namespaces.Namespace(name=name)
    for number in range((size - 10_000) // 4_020):
        made.labels[f"label-{number:05}"] = "x" * 4_000
    number = 0
    while (left := size - made.ByteSize()) > 4_000:
        made.labels[f"rest-{number:05}"] = "x" * 2_000
        number += 1
    made.labels["last"] = "x" * 1_000
    made.labels["last"] += "x" * (left - 1_012)  # what an entry of that many bytes takes beside them
    assert made.ByteSize() == size
    return made


@pytest.mark.parametrize(("over", "verdict"), [(0, "OK"), (1, "ResourceExhausted")])
def test_answers_have_the_same_limit(both: Any, over: int, verdict: str) -> None:
    async def talk(client: Any) -> None:
        before = (await client.ask("namespaces", "List")).ByteSize()
        name, overhead = f"large-{over}", 5  # a tag, and four bytes of length
        made = padded(name, LIMIT + over - before - overhead)
        try:
            await client.ask("namespaces", "Create", {"namespace": made})
            assert await client.verdict("namespaces", "List") == verdict
            assert await client.verdict("version", "Version") == "OK"
        finally:
            await client.ask("namespaces", "Delete", {"name": name})

    both.run(talk)


def test_a_connection_carries_more_than_a_hundred_streams(both: Any) -> None:
    async def talk(client: Any) -> None:
        stub = client.stub("events")
        request = stub.service.methods["Subscribe"].request(filters=['topic=="/many"'])
        heard: list[int] = []

        async def listen(number: int) -> None:
            async for _ in stub.receive("Subscribe", request, metadata=HEADERS):
                heard.append(number)
                return

        listening = [asyncio.create_task(listen(number)) for number in range(150)]
        try:
            async with asyncio.timeout(60):
                while len(heard) < len(listening):  # nobody says when a subscription stands
                    await client.ask("events", "Publish", {"topic": "/many", "event": {"type_url": "t"}})
                    await asyncio.sleep(0.1)
        finally:
            for each in listening:
                each.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
        assert sorted(heard) == list(range(150))

    both.run(talk)


async def raw(client: Any, path: str, data: bytes, **options: Any) -> grpc.StatusCode:
    call = client.channel.unary_unary(path)(data, timeout=30, **options)
    code = await call.code()
    assert isinstance(code, grpc.StatusCode)
    assert "Traceback" not in (await call.details() or "")
    return code


@pytest.mark.parametrize(
    "data", [b"\x0a\x02\xff\xfe", b"\x0a\x7f", b"\xff" * 20, b"\x08"], ids=["utf8", "cut", "tag", "end"]
)
def test_what_is_no_message_is_refused(both: Any, data: bytes) -> None:
    async def talk(client: Any) -> None:
        assert await raw(client, GET, data, metadata=HEADERS) not in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
        assert await client.verdict("version", "Version") == "OK"

    both.run(talk)


def test_unknown_fields_are_passed_over(both: Any) -> None:
    async def talk(client: Any) -> None:
        data = images.GetImageRequest(name="unknown").SerializeToString() + b"\xfa\x3e\x03abc"
        assert await raw(client, GET, data, metadata=HEADERS) == grpc.StatusCode.NOT_FOUND

    both.run(talk)


def test_the_first_of_two_namespaces_counts(both: Any) -> None:
    async def talk(client: Any) -> None:
        name = f"image-{uuid.uuid4()}"
        target = types.Descriptor(media_type="m", digest=digests.of(b"x"), size=1)
        await client.ask("images", "Create", {"image": images.Image(name=name, target=target)})
        data = images.GetImageRequest(name=name).SerializeToString()
        both_of_them = [*HEADERS, ("containerd-namespace", "other")]
        assert await raw(client, GET, data, metadata=both_of_them) == grpc.StatusCode.OK
        assert await raw(client, GET, data, metadata=both_of_them[::-1]) == grpc.StatusCode.NOT_FOUND

    both.run(talk)


def test_headers_have_a_limit(moorage: Any) -> None:
    async def talk(client: Any) -> None:
        request = images.GetImageRequest(name="x").SerializeToString()
        code = await raw(client, GET, request, metadata=[*HEADERS, ("x", "y" * (10 << 20))])
        assert code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL)
        assert await client.verdict("version", "Version") == "OK"

    moorage.run(talk)


@pytest.mark.parametrize(
    "filter",
    ["name~=(a+)+$", "name~=" + "(" * 500 + ")" * 500, ",".join(["name==x"] * 20_000), "labels." + "x." * 50_000],
)
def test_hostile_filters_take_bounded_time(moorage: Any, filter: str) -> None:
    async def talk(client: Any) -> None:
        target = types.Descriptor(media_type="m", digest=digests.of(b"x"), size=1)
        await client.verdict("images", "Create", {"image": images.Image(name="a" * 200 + "b", target=target)})
        async with asyncio.timeout(5):
            assert await client.verdict("images", "List", {"filters": [filter]}) in ("OK", "InvalidArgument")

    moorage.run(talk)


def test_many_calls_at_once_all_get_their_answer(moorage: Any) -> None:
    async def talk(client: Any) -> None:
        async def one(number: int) -> None:
            name = f"many-{number}"
            target = types.Descriptor(media_type="m", digest=digests.of(b"x"), size=1)
            await client.ask("images", "Create", {"image": images.Image(name=name, target=target)}, namespace="many")
            got = await client.ask("images", "Get", {"name": name}, namespace="many")
            assert got.image.name == name
            await client.ask("images", "Delete", {"name": name}, namespace="many")

        await asyncio.gather(*(one(number) for number in range(300)))
        assert not (await client.ask("images", "List", namespace="many")).images

    moorage.run(talk)
