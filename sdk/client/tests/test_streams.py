from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import typeurls
from moorage_api.messages import streaming, transfer_types
from moorage_client.clients import Client
from moorage_client.streams import SERVICE, Streams
from moorage_sdk import errors


def test_a_stream_is_known_before_it_is_used(talk: Any) -> None:
    seen: list[str] = []

    async def stream(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            message = typeurls.unpack(request)
            if isinstance(message, streaming.StreamInit):
                seen.append(message.id)
                yield typeurls.pack(Empty())
            else:
                assert isinstance(message, transfer_types.Data)
                yield typeurls.pack(transfer_types.Data(data=message.data.upper()))

    async def work(client: Client) -> None:
        async with Streams(client.versions._caller).open("test") as named:
            assert seen == [named.id]
            assert "-test-" in named.id
            await named.send(transfer_types.Data(data=b"abc"))
            answer = await named.receive()
            assert isinstance(answer, transfer_types.Data)
            assert answer.data == b"ABC"

    talk({SERVICE: {"Stream": stream}}, work)


def test_the_end(talk: Any) -> None:
    async def stream(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await anext(aiter(requests))
        yield typeurls.pack(Empty())

    async def work(client: Client) -> None:
        async with Streams(client.versions._caller).open("test") as named:
            assert await named.receive() is None

    talk({SERVICE: {"Stream": stream}}, work)


def test_a_stream_that_is_refused(talk: Any) -> None:
    async def refuse(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await anext(aiter(requests))
        raise errors.AlreadyExists("stream: already exists")
        yield

    async def hang_up(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        return
        yield

    async def work(client: Client) -> None:
        async with Streams(client.versions._caller).open("test"):
            raise AssertionError("opened")

    with pytest.raises(errors.AlreadyExists):
        talk({SERVICE: {"Stream": refuse}}, work)
    with pytest.raises(errors.Aborted):
        talk({SERVICE: {"Stream": hang_up}}, work)
