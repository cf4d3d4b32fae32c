from __future__ import annotations

import asyncio
import socket

import pytest

from moorage_sdk import errors
from moorage_ttrpc import frames
from moorage_ttrpc.connections import Connection


async def linked(received: list[frames.Frame], lost: asyncio.Event) -> tuple[Connection, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_unix_connection(lambda: Connection(received.append, lost.set), sock=ours)
    return connection, theirs


def test_frames_arrive_and_the_end_is_told_once() -> None:
    async def main() -> None:
        got: list[frames.Frame] = []
        lost = asyncio.Event()
        connection, peer = await linked(got, lost)
        frame = frames.Frame(3, frames.DATA, 1, b"abc")
        await asyncio.get_running_loop().sock_sendall(peer, frames.encode(frame) + b"\0\0")
        peer.close()  # in the middle of a frame
        await asyncio.wait_for(lost.wait(), 5)
        assert got == [frame]
        with pytest.raises(errors.Unavailable):
            connection.write(frame)

    asyncio.run(main())


def test_a_held_connection_reads_on_after_the_last_release() -> None:
    async def main() -> None:
        got: list[frames.Frame] = []
        connection, peer = await linked(got, asyncio.Event())
        connection.hold()
        connection.hold()
        connection.release()
        await asyncio.get_running_loop().sock_sendall(peer, frames.encode(frames.Frame(1, 1, 0)))
        await asyncio.sleep(0.05)
        assert got == []
        connection.release()
        async with asyncio.timeout(5):
            while not got:
                await asyncio.sleep(0.01)
        connection.close()
        peer.close()
        await connection.closed.wait()

    asyncio.run(main())


def test_drain_waits_for_a_slow_peer() -> None:
    async def main() -> None:
        connection, peer = await linked([], asyncio.Event())
        connection.write(frames.Frame(1, frames.DATA, 0, bytes(frames.MAX_LENGTH)))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await connection.drain()
        connection.abort()
        await asyncio.wait_for(connection.drain(), 5)
        peer.close()
        await connection.closed.wait()

    asyncio.run(main())


def test_what_is_closed_before_it_stands_ends_as_soon_as_it_does() -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        lost = asyncio.Event()
        connection = Connection(lambda frame: None, lost.set)
        connection.close()
        assert connection.closing
        await asyncio.get_running_loop().create_unix_connection(lambda: connection, sock=ours)
        await asyncio.wait_for(lost.wait(), 5)
        with theirs, pytest.raises(errors.Unavailable):
            connection.write(frames.Frame(1, frames.DATA, 0))

    asyncio.run(main())
