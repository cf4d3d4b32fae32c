"""Requests that are too large, malformed, hostile or many."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import grpc
import pytest

from moorage_api.messages import content, images, types
from moorage_sdk import digests, errors

HEADERS = [("containerd-namespace", "wire")]
LIMIT = 16 << 20
GET = "/containerd.services.images.v1.Images/Get"


@pytest.mark.parametrize(("size", "fits"), [(LIMIT - 1024, True), (LIMIT + 1, False)])
def test_messages_have_a_limit_and_the_connection_survives(both: Any, size: int, fits: bool) -> None:
    async def talk(client: Any) -> None:
        async with client.stub("content").open("Write", metadata=HEADERS) as stream:
            request = content.WriteContentRequest(action=content.WRITE, ref=f"ref-{uuid.uuid4()}", data=bytes(size))
            if fits:
                await stream.send(request)
                assert (await stream.receive()).offset == size
            else:
                with pytest.raises(errors.ResourceExhausted):
                    await stream.send(request)
                    await stream.receive()
        assert await client.verdict("version", "Version") == "OK"

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
