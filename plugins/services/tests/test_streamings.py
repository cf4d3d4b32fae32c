"""Named streams on a real server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.empty_pb2 import Empty

from moorage_api.calling import Stream as Wire
from moorage_api.calling import Stub
from moorage_api.convert import typeurls
from moorage_api.messages import streaming, transfer_types
from moorage_sdk import errors
from moorage_sdk.resources import Item
from moorage_services.calls import GrpcService
from moorage_services.registers import Streams
from moorage_services.streamings import StreamService
from moorage_services.streams import MAX_UNREAD

NAME = StreamService.name


@asynccontextmanager
async def served(folder: Path, streams: Streams) -> AsyncIterator[Stub]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(tuple(GrpcService(StreamService(streams)).handlers()))
    server.add_insecure_port(f"unix:{folder}/s")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"unix:{folder}/s") as channel:
            yield Stub(channel, NAME)
    finally:
        await server.stop(None)


def headers(namespace: str = "ns", **more: str) -> tuple[tuple[str, str], ...]:
    values: Mapping[str, str] = {"containerd-namespace": namespace, **{f"containerd-{k}": v for k, v in more.items()}}
    return tuple(values.items())


async def opened(wire: Wire, name: str = "one") -> None:
    await wire.send(typeurls.pack(streaming.StreamInit(id=name)))
    answer = await wire.receive()
    assert answer is not None
    assert typeurls.holds(answer, Empty)


def run(folder: Path, work: Callable[[Stub, Streams], Awaitable[None]]) -> None:
    async def main() -> None:
        streams = Streams()
        async with served(folder, streams) as stub:
            await asyncio.wait_for(work(stub, streams), 20)

    asyncio.run(main())


async def until(met: Callable[[], bool]) -> None:
    for _ in range(2000):
        if met():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("not met in time")


def known(streams: Streams, namespace: str, name: str) -> bool:
    try:
        streams.get(namespace, name)
    except errors.NotFound:
        return False
    return True


def test_messages_go_both_ways_and_closing_ends_the_call(tmp_path: Path) -> None:
    async def work(stub: Stub, streams: Streams) -> None:
        async with stub.open("Stream", metadata=headers()) as wire:
            await opened(wire)
            stream = streams.get("ns", "one")
            for n in range(100):
                stream.send(transfer_types.Progress(progress=n))
            stream.close()
            seen = []
            while (message := await wire.receive()) is not None:
                seen.append(typeurls.unpack(message))
            assert [message.progress for message in seen] == list(range(100))  # type: ignore[attr-defined]
        assert not known(streams, "ns", "one")

    run(tmp_path, work)


def test_a_closed_stream_can_be_waited_for(tmp_path: Path) -> None:
    async def work(stub: Stub, streams: Streams) -> None:
        async with stub.open("Stream", metadata=headers()) as wire:
            await opened(wire)
            stream = streams.get("ns", "one")
            for n in range(100):
                stream.send(transfer_types.Progress(progress=n))
            await stream.written(0.01)
            assert known(streams, "ns", "one")  # that was the time, for it is still open
            stream.close()
            await stream.written(20)
            assert not known(streams, "ns", "one")  # what was sent is all on its way
            for _ in range(100):
                assert await wire.receive() is not None
            assert await wire.receive() is None

    run(tmp_path, work)


def test_what_the_client_sends_is_received_by_a_thread(tmp_path: Path) -> None:
    async def work(stub: Stub, streams: Streams) -> None:
        async with stub.open("Stream", metadata=headers()) as wire:
            await opened(wire)
            stream = streams.get("ns", "one")
            await wire.send(typeurls.pack(transfer_types.AuthResponse(secret="s")))
            await wire.done_sending()
            first = await asyncio.to_thread(stream.receive)
            assert typeurls.holds(first, transfer_types.AuthResponse)
            for _ in range(2):
                with pytest.raises(errors.Unavailable, match="ended by the client"):
                    await asyncio.to_thread(stream.receive)
            assert known(streams, "ns", "one")  # the daemon may still have something to say

    run(tmp_path, work)


def test_names_are_unique_in_a_namespace_and_free_again_afterwards(tmp_path: Path) -> None:
    async def work(stub: Stub, streams: Streams) -> None:
        async with stub.open("Stream", metadata=headers()) as first:
            await opened(first)
            async with stub.open("Stream", metadata=headers("other")) as elsewhere:
                await opened(elsewhere)
            async with stub.open("Stream", metadata=headers()) as second:
                await second.send(typeurls.pack(streaming.StreamInit(id="one")))
                with pytest.raises(errors.AlreadyExists):
                    await second.receive()
            assert known(streams, "ns", "one")
        await until(lambda: not known(streams, "ns", "one"))
        async with stub.open("Stream", metadata=headers()) as third:
            await opened(third)

    run(tmp_path, work)


@pytest.mark.parametrize(
    "first",
    [
        typeurls.pack(streaming.StreamInit()),
        typeurls.pack(Empty()),
        Packed(type_url="containerd.services.streaming.v1.StreamInit", value=b"\xff"),
        None,
    ],
)
def test_a_stream_without_a_name_is_refused(tmp_path: Path, first: Packed | None) -> None:
    async def work(stub: Stub, streams: Streams) -> None:
        async with stub.open("Stream", metadata=headers()) as wire:
            if first is not None:
                await wire.send(first)
            else:
                await wire.done_sending()
            with pytest.raises(errors.InvalidArgument):
                await wire.receive()

    run(tmp_path, work)


def test_a_stream_that_is_collected_ends_and_its_name_is_free(tmp_path: Path) -> None:
    async def work(stub: Stub, streams: Streams) -> None:
        async with (
            stub.open("Stream", metadata=headers(lease="gone")) as first,
            stub.open("Stream", metadata=headers(lease="kept")) as second,
            stub.open("Stream", metadata=headers()) as third,
        ):
            await opened(first, "first")
            await opened(second, "second")
            await opened(third, "third")
            items = streams.all()
            assert [(item.name, item.lease) for item in items] == [("first", "gone"), ("second", "kept")]
            streams.condemn(items[:1])
            assert not known(streams, "ns", "first")
            async with stub.open("Stream", metadata=headers(lease="kept")) as again:
                await opened(again, "first")
                await asyncio.to_thread(streams.remove, items[0])
                assert await first.receive() is None
                await until(lambda: _is_gone(streams, items[0]))
                assert all(known(streams, "ns", name) for name in ("first", "second", "third"))

    run(tmp_path, work)


def _is_gone(streams: Streams, item: Item) -> bool:
    try:
        streams.remove(item)
    except errors.NotFound:
        return True
    return False


def test_a_client_that_sends_what_nobody_reads_has_to_wait(tmp_path: Path) -> None:
    async def work(stub: Stub, streams: Streams) -> None:
        data = typeurls.pack(transfer_types.Data(data=bytes(256 << 10)))
        sent = 0

        async def flood(wire: Wire) -> None:
            nonlocal sent
            while True:
                await wire.send(data)
                sent += 1

        async with stub.open("Stream", metadata=headers()) as wire:
            await opened(wire)
            flooding = asyncio.create_task(flood(wire))
            before = -1
            while sent != before or not sent:  # until it stands still
                before = sent
                await asyncio.sleep(0.3)
            assert sent * len(data.value) < MAX_UNREAD + (16 << 20)
            stream = streams.get("ns", "one")
            for _ in range(before + 10):
                await asyncio.to_thread(stream.receive)
            assert sent > before
            flooding.cancel()

    run(tmp_path, work)
