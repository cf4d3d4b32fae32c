"""Bytes on a stream, with a client that keeps to its window and clients that do not."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest
from google.protobuf.message import Message

from moorage_api.convert import typeurls
from moorage_api.messages import transfer_types
from moorage_sdk import errors
from moorage_services.byte_streams import CHUNK, GRANT, WINDOW, ByteSink, ByteSource
from moorage_services.streams import Stream

DATA = bytes(range(256)) * 8192  # 2 MiB


class Client:
    """The other side of a stream."""

    def __init__(self) -> None:
        self.stream = Stream(asyncio.get_running_loop())
        self._outgoing = self.stream.outgoing()

    def say(self, message: Message) -> None:
        self.stream.received(typeurls.pack(message))

    def end(self) -> None:
        self.stream.received(None)

    async def hear(self) -> Any:
        """The next message of the daemon."""
        return typeurls.unpack(await asyncio.wait_for(anext(self._outgoing), 20))


def read_all(source: ByteSource) -> str:
    hashed = hashlib.sha256()
    while data := source.read(100_000):
        hashed.update(data)
    return hashed.hexdigest()


def test_a_client_that_keeps_to_its_window_sends_everything() -> None:
    async def main() -> None:
        client = Client()
        reading = asyncio.create_task(asyncio.to_thread(read_all, ByteSource(client.stream, lambda: False)))
        window = sent = 0
        while sent < len(DATA):
            if not window:
                window += (await client.hear()).update
            piece = DATA[sent : sent + min(CHUNK, window, 30_001)]
            client.say(transfer_types.Data(data=piece))
            sent, window = sent + len(piece), window - len(piece)
            assert window <= WINDOW
        client.end()
        assert await reading == hashlib.sha256(DATA).hexdigest()

    asyncio.run(main())


def test_no_more_is_granted_than_a_window() -> None:
    async def main() -> None:
        client = Client()
        reading = asyncio.create_task(asyncio.to_thread(ByteSource(client.stream, lambda: False).read, 10))
        for _ in range(WINDOW // GRANT):
            assert (await client.hear()).update == GRANT
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client._outgoing.__anext__(), 0.2)
        client.say(transfer_types.Data(data=b"0123456789abc"))
        assert await reading == b"0123456789"

    asyncio.run(main())


def test_messages_of_other_kinds_and_of_no_bytes_are_left_out() -> None:
    async def main() -> None:
        client = Client()
        for message in (transfer_types.Progress(), transfer_types.Data(), transfer_types.Data(data=b"x")):
            client.say(message)
        client.end()
        source = ByteSource(client.stream, lambda: False)
        assert await asyncio.to_thread(source.read, 5) == b"x"
        assert await asyncio.to_thread(source.read, 5) == b""
        assert await asyncio.to_thread(source.read, 5) == b""

    asyncio.run(main())


def test_waiting_for_a_client_that_says_nothing_can_be_given_up() -> None:
    async def main() -> None:
        client = Client()
        with pytest.raises(errors.Cancelled):
            await asyncio.to_thread(ByteSource(client.stream, lambda: True).read, 1)
        sink = ByteSink(client.stream, lambda: True)
        sink.write(b"x")
        with pytest.raises(errors.Cancelled):
            await asyncio.to_thread(sink.flush)

    asyncio.run(main())


def test_a_stream_that_the_daemon_closed_is_no_end_of_an_archive() -> None:
    async def main() -> None:
        client = Client()
        source = ByteSource(client.stream, lambda: False)
        client.stream.close()
        with pytest.raises((errors.Aborted, errors.Unavailable)):
            await asyncio.to_thread(source.read, 1)

    asyncio.run(main())


@pytest.mark.parametrize("grant", [1, 5000, GRANT, 1 << 30])
def test_a_client_gets_no_more_than_it_granted(grant: int) -> None:
    data = DATA if grant >= GRANT else DATA[: 20 * grant]

    async def main() -> None:
        client = Client()
        sink = ByteSink(client.stream, lambda: False)

        def send() -> None:
            for start in range(0, len(data), 70_000):
                sink.write(data[start : start + 70_000])
            sink.flush()

        sending = asyncio.create_task(asyncio.to_thread(send))
        received = bytearray()
        while len(received) < len(data):
            client.say(transfer_types.WindowUpdate(update=grant))
            want = min(grant, len(data) - len(received))
            while want > 0:
                piece = (await client.hear()).data
                assert 0 < len(piece) <= min(CHUNK, want)
                received += piece
                want -= len(piece)
        await sending
        assert bytes(received) == data

    asyncio.run(main())


def test_a_window_cannot_shrink() -> None:
    async def main() -> None:
        client = Client()
        client.say(transfer_types.WindowUpdate(update=-5))
        sink = ByteSink(client.stream, lambda: False)
        sink.write(b"x")
        with pytest.raises(errors.InvalidArgument, match="-5"):
            await asyncio.to_thread(sink.flush)

    asyncio.run(main())


def test_a_client_that_grants_no_more_and_leaves_is_unavailable() -> None:
    async def main() -> None:
        client = Client()
        client.say(transfer_types.Progress())
        client.end()
        sink = ByteSink(client.stream, lambda: False)
        sink.write(b"x")
        with pytest.raises(errors.Unavailable):
            await asyncio.to_thread(sink.flush)

    asyncio.run(main())
