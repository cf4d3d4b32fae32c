"""Bytes both ways, with a daemon that keeps to the protocol and one that does not."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from google.protobuf.message import Message

from moorage_api.messages import transfer_types
from moorage_client.byte_streams import CHUNK, GRANT, Receiver, send
from moorage_sdk import errors

DATA = bytes(range(256)) * 20_000


class Daemon:
    """The other side of a named stream."""

    def __init__(self) -> None:
        self.id = "s"
        self.to_client: asyncio.Queue[Message | None] = asyncio.Queue()
        self.from_client: asyncio.Queue[Message | None] = asyncio.Queue()

    async def send(self, message: Message) -> None:
        await self.from_client.put(message)

    async def done_sending(self) -> None:
        await self.from_client.put(None)

    async def receive(self) -> Message | None:
        return await self.to_client.get()


@pytest.mark.parametrize("grant", [1000, 64 << 10, 1 << 30])
def test_everything_is_sent_within_the_window(grant: int) -> None:
    async def main() -> None:
        daemon: Any = Daemon()
        sending = asyncio.create_task(send(daemon, io.BytesIO(DATA)))
        received, window = bytearray(), 0
        while True:
            if window == 0:
                await daemon.to_client.put(transfer_types.WindowUpdate(update=grant))
                window = grant
            message = await asyncio.wait_for(daemon.from_client.get(), 20)
            if message is None:
                break
            assert 0 < len(message.data) <= min(window, CHUNK)
            received += message.data
            window -= len(message.data)
        await sending
        assert received == DATA

    asyncio.run(main())


def test_a_daemon_that_has_enough_ends_the_sending() -> None:
    async def main() -> None:
        daemon: Any = Daemon()
        await daemon.to_client.put(None)
        await asyncio.wait_for(send(daemon, io.BytesIO(DATA)), 20)
        assert daemon.from_client.empty()

    asyncio.run(main())


def test_everything_is_received_and_granted_in_time() -> None:
    async def main() -> None:
        daemon: Any = Daemon()
        sink = io.BytesIO()
        receiver = Receiver(daemon, sink)
        receiving = asyncio.create_task(receiver.run())
        window = sent = 0
        while sent < len(DATA):
            while window <= 0:
                window += (await asyncio.wait_for(daemon.from_client.get(), 20)).update
            piece = DATA[sent : sent + min(CHUNK, window)]
            await daemon.to_client.put(transfer_types.Data(data=piece))
            sent, window = sent + len(piece), window - len(piece)
        await daemon.to_client.put(None)
        await asyncio.wait_for(receiving, 20)
        assert sink.getvalue() == DATA
        assert receiver.received == len(DATA)

    asyncio.run(main())


def test_what_was_received_can_be_written_without_an_end() -> None:
    async def main() -> None:
        daemon: Any = Daemon()
        sink = io.BytesIO()
        receiver = Receiver(daemon, sink)
        receiving = asyncio.create_task(receiver.run())
        await daemon.to_client.put(transfer_types.Data(data=b"abc"))
        while receiver.received < 3:
            await asyncio.sleep(0.01)
        receiving.cancel()
        receiver.flush()
        assert sink.getvalue() == b"abc"

    asyncio.run(main())


def test_something_else_than_bytes_is_refused() -> None:
    async def main() -> None:
        daemon: Any = Daemon()
        await daemon.to_client.put(transfer_types.Progress())
        with pytest.raises(errors.InvalidArgument, match="Progress"):
            await Receiver(daemon, io.BytesIO()).run()

    asyncio.run(main())


def test_a_window_is_granted_seldom_and_fits_the_daemons_counter() -> None:
    async def main() -> None:
        daemon: Any = Daemon()
        for _ in range(10):
            await daemon.to_client.put(transfer_types.Data(data=b"x" * CHUNK))
        await daemon.to_client.put(None)
        await Receiver(daemon, io.BytesIO()).run()
        updates = []
        while not daemon.from_client.empty():
            updates.append(daemon.from_client.get_nowait().update)
        assert updates == [GRANT]
        assert GRANT // 2 + GRANT < 1 << 31

    asyncio.run(main())
