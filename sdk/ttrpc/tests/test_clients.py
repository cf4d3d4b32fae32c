from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_ttrpc import clients, frames, methods, servers


async def echo(request: bytes, call: methods.Call) -> bytes:
    return request + "|".join(f"{key}={value}" for key, value in call.metadata).encode()


async def fails(request: bytes, call: methods.Call) -> bytes:
    raise errors.NotFound('task "x": not found')


async def breaks(request: bytes, call: methods.Call) -> bytes:
    raise ZeroDivisionError("oops")


async def slow(request: bytes, call: methods.Call) -> bytes:
    await asyncio.sleep(float(request))
    return request


async def count(request: bytes, call: methods.Call) -> AsyncIterator[bytes]:
    for number in range(int(request or b"3")):
        yield str(number).encode()
    if request == b"5":
        raise errors.Aborted("after five")


async def join(parts: AsyncIterator[bytes], call: methods.Call) -> bytes:
    return b"+".join([part async for part in parts])


async def double(parts: AsyncIterator[bytes], call: methods.Call) -> AsyncIterator[bytes]:
    async for part in parts:
        yield part * 2


def method(handler: Any, client: bool = False, server: bool = False) -> methods.Method:
    return methods.Method(bytes, handler, bytes, client_streaming=client, server_streaming=server)


SERVICES = {
    "s": {
        "Echo": method(echo),
        "Fails": method(fails),
        "Breaks": method(breaks),
        "Slow": method(slow),
        "Count": method(count, server=True),
        "Join": method(join, client=True),
        "Double": method(double, client=True, server=True),
    }
}


def with_client(tmp_path: Path, scenario: Any) -> None:
    async def main() -> None:
        server = servers.Server(SERVICES)
        await server.serve(tmp_path / "s")
        client = await clients.connect(tmp_path / "s")
        async with asyncio.timeout(30):
            await scenario(client)
        await client.close()
        await server.close()

    asyncio.run(main())


def test_calls_errors_and_metadata(tmp_path: Path) -> None:
    async def scenario(client: clients.Client) -> None:
        assert await client.call("s", "Echo", b"hi", metadata=[("k", "v"), ("k", "w")]) == b"hik=v|k=w"
        assert await client.call("s", "Echo", b"") == b""
        with pytest.raises(errors.NotFound, match='task "x": not found'):
            await client.call("s", "Fails", b"")
        with pytest.raises(errors.Error, match=r"^oops$"):
            await client.call("s", "Breaks", b"")
        with pytest.raises(errors.Unimplemented, match="unknown method No for service s"):
            await client.call("s", "No", b"")
        with pytest.raises(errors.Unimplemented, match="unknown service t"):
            await client.call("t", "Echo", b"")

    with_client(tmp_path, scenario)


def test_many_calls_at_once_are_answered_out_of_order(tmp_path: Path) -> None:
    async def scenario(client: clients.Client) -> None:
        order: list[bytes] = []

        async def one(delay: bytes) -> None:
            order.append(await client.call("s", "Slow", delay))

        await asyncio.gather(one(b"0.2"), one(b"0.1"), one(b"0"))
        assert order == [b"0", b"0.1", b"0.2"]
        answers = await asyncio.gather(*(client.call("s", "Echo", str(n).encode()) for n in range(500)))
        assert answers == [str(n).encode() for n in range(500)]

    with_client(tmp_path, scenario)


def test_timeouts_hold_on_both_sides_and_do_not_hurt_the_next_call(tmp_path: Path) -> None:
    async def scenario(client: clients.Client) -> None:
        with pytest.raises(errors.DeadlineExceeded):
            await client.call("s", "Slow", b"20", timeout=0.05)
        assert await client.call("s", "Echo", b"x", timeout=10) == b"x"
        waiting = asyncio.create_task(client.call("s", "Slow", b"0.1"))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0.15)  # the late answer arrives and is thrown away
        assert await client.call("s", "Echo", b"y") == b"y"
        assert not client._streams

    with_client(tmp_path, scenario)


def test_streams_in_all_directions(tmp_path: Path) -> None:
    async def scenario(client: clients.Client) -> None:
        counting = await client.stream("s", "Count", b"4")
        assert [part async for part in counting] == [b"0", b"1", b"2", b"3"]
        empty = await client.stream("s", "Count", b"")
        assert [part async for part in empty] == [b"0", b"1", b"2"]
        failing = await client.stream("s", "Count", b"5")
        got = []
        with pytest.raises(errors.Aborted, match="after five"):
            async for part in failing:
                got.append(part)
        assert len(got) == 5

        joining = await client.stream("s", "Join", client_streaming=True)
        for part in (b"a", b"", b"c"):
            await joining.send(part)
        await joining.close_send()
        assert await joining.receive() == b"a++c"
        assert await joining.receive() is None
        with pytest.raises(errors.FailedPrecondition):
            await joining.send(b"d")

        doubling = await client.stream("s", "Double", client_streaming=True)
        for number in range(200):
            await doubling.send(str(number).encode())
            assert await doubling.receive() == str(number).encode() * 2
        await doubling.close_send()
        assert await doubling.receive() is None
        assert not client._streams

    with_client(tmp_path, scenario)


def test_a_stream_nobody_reads_holds_up_the_sender_and_cancel_frees_it(tmp_path: Path) -> None:
    async def scenario(client: clients.Client) -> None:
        counting = await client.stream("s", "Count", b"100000")
        await asyncio.sleep(0.3)
        assert len(counting._inbox._waiting) < 50_000
        counting.cancel()
        assert await client.call("s", "Echo", b"still there") == b"still there"

    with_client(tmp_path, scenario)


def test_too_long_messages_fail_alone(tmp_path: Path) -> None:
    async def scenario(client: clients.Client) -> None:
        with pytest.raises(errors.ResourceExhausted):
            await client.call("s", "Echo", bytes(frames.MAX_LENGTH))
        assert await client.call("s", "Echo", b"x") == b"x"

    with_client(tmp_path, scenario)


def test_a_lost_server_makes_every_call_unavailable(tmp_path: Path) -> None:
    async def main() -> None:
        server = servers.Server(SERVICES)
        await server.serve(tmp_path / "s")
        client = await clients.connect(tmp_path / "s")
        call = asyncio.create_task(client.call("s", "Slow", b"20"))
        stream = await client.stream("s", "Join", client_streaming=True)
        await asyncio.sleep(0.05)
        await server.close()
        with pytest.raises(errors.Unavailable, match="connection closed"):
            await call
        with pytest.raises(errors.Unavailable):
            await stream.receive()
        with pytest.raises(errors.Unavailable):
            await client.call("s", "Echo", b"")
        assert client.closed

    asyncio.run(main())


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(errors.Unavailable, match="No such file"):
        asyncio.run(clients.connect(tmp_path / "none"))
