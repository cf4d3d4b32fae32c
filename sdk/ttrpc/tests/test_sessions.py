"""What the server does with peers that break the protocol: one wrong frame at a time."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moorage_sdk import errors
from moorage_ttrpc import clients, frames, messages, methods, servers


async def echo(request: bytes, call: methods.Call) -> bytes:
    return request


async def grow(request: bytes, call: methods.Call) -> bytes:
    return bytes(frames.MAX_LENGTH + 1)


async def join(parts: AsyncIterator[bytes], call: methods.Call) -> bytes:
    return b"+".join([part async for part in parts])


def picky(data: bytes) -> bytes:
    if data == b"bad":
        raise ValueError("no")
    return data


cancelled: list[str] = []


async def wait(request: bytes, call: methods.Call) -> bytes:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        cancelled.append("yes")
        raise
    return b""


SERVICES = {
    "s": {
        "Echo": methods.Method(picky, echo, bytes),
        "Grow": methods.Method(bytes, grow, bytes),
        "Wait": methods.Method(bytes, wait, bytes),
        "Join": methods.Method(bytes, join, bytes, client_streaming=True),
    }
}


class Raw:
    """A peer that sends what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, number: int, kind: int, flags: int = 0, data: bytes = b"") -> None:
        self.writer.write(frames.encode(frames.Frame(number, kind, flags, data)))

    def request(self, number: int, method: str = "Echo", payload: bytes = b"hi", flags: int = 0, **more: Any) -> None:
        request = messages.Request("s", method, payload, **more)
        self.send(number, frames.REQUEST, flags, messages.encode_request(request))

    async def answer(self) -> tuple[int, int, bytes]:
        """Stream, status code and payload of the next response."""
        length, number, kind, _ = frames.HEADER.unpack(await self.reader.readexactly(frames.HEADER.size))
        assert kind == frames.RESPONSE
        response = messages.decode_response(await self.reader.readexactly(length))
        return number, response.status.code, response.payload

    async def works(self, number: int) -> None:
        self.request(number, payload=b"alive")
        assert await self.answer() == (number, 0, b"alive")


def with_raw(tmp_path: Path, scenario: Any) -> None:
    async def main() -> None:
        server = servers.Server(SERVICES)
        await server.serve(tmp_path / "s")
        raw = Raw(*await asyncio.open_unix_connection(str(tmp_path / "s")))
        async with asyncio.timeout(30):
            await scenario(raw)
            raw.writer.close()
            while server.sessions:
                await asyncio.sleep(0.01)
        client = await clients.connect(tmp_path / "s")
        assert await client.call("s", "Echo", b"next") == b"next"
        await client.close()
        await server.close()

    asyncio.run(main())


INVALID, EXHAUSTED, UNIMPLEMENTED = 3, 8, 12


def test_wrong_stream_numbers(tmp_path: Path) -> None:
    async def scenario(raw: Raw) -> None:
        raw.request(2)
        assert await raw.answer() == (2, INVALID, b"")
        raw.request(0)
        assert await raw.answer() == (0, INVALID, b"")
        await raw.works(5)
        raw.request(5)
        assert await raw.answer() == (5, INVALID, b"")
        raw.request(3)
        assert await raw.answer() == (3, INVALID, b"")
        await raw.works(2**32 - 1)

    with_raw(tmp_path, scenario)


def test_data_for_streams_that_are_not_open(tmp_path: Path) -> None:
    async def scenario(raw: Raw) -> None:
        raw.send(1, frames.DATA, 0, b"x")
        assert await raw.answer() == (1, INVALID, b"")
        await raw.works(3)
        raw.send(3, frames.DATA, 0, b"x")
        assert await raw.answer() == (3, INVALID, b"")
        raw.request(5, "Wait")
        raw.send(5, frames.DATA, 0, b"unary takes none")
        assert await raw.answer() == (5, INVALID, b"")

    with_raw(tmp_path, scenario)


def test_data_after_closing(tmp_path: Path) -> None:
    async def scenario(raw: Raw) -> None:
        raw.request(1, "Join", b"", frames.REMOTE_OPEN)
        raw.send(1, frames.DATA, 0, b"a")
        raw.send(1, frames.DATA, frames.REMOTE_CLOSED, b"b")
        raw.send(1, frames.DATA, 0, b"c")
        assert await raw.answer() == (1, INVALID, b"")
        assert await raw.answer() == (1, 0, b"a+b")
        await raw.works(3)

    with_raw(tmp_path, scenario)


def test_a_client_stream_may_begin_in_the_request(tmp_path: Path) -> None:
    async def scenario(raw: Raw) -> None:
        raw.request(1, "Join", b"first", frames.REMOTE_OPEN)
        raw.send(1, frames.DATA, 0, b"")
        raw.send(1, frames.DATA, frames.REMOTE_CLOSED | frames.NO_DATA)
        assert await raw.answer() == (1, 0, b"first+")

    with_raw(tmp_path, scenario)


def test_oversized_and_garbled_frames(tmp_path: Path) -> None:
    async def scenario(raw: Raw) -> None:
        length = frames.MAX_LENGTH + 1
        raw.writer.write(frames.HEADER.pack(length, 1, frames.REQUEST, 0) + bytes(length))
        assert await raw.answer() == (1, EXHAUSTED, b"")
        raw.send(3, frames.REQUEST, 0, b"\xff\xff")
        assert await raw.answer() == (3, INVALID, b"")
        raw.request(5, payload=b"bad")
        assert await raw.answer() == (5, INVALID, b"")
        raw.send(7, 9, 0, b"a type of the future")
        await raw.works(9)

    with_raw(tmp_path, scenario)


def test_unknown_names_and_answers_that_are_too_long(tmp_path: Path) -> None:
    async def scenario(raw: Raw) -> None:
        raw.request(1, "Nope")
        assert await raw.answer() == (1, UNIMPLEMENTED, b"")
        raw.request(3, "Grow")
        assert await raw.answer() == (3, EXHAUSTED, b"")
        await raw.works(5)

    with_raw(tmp_path, scenario)


def test_the_server_keeps_the_deadline(tmp_path: Path) -> None:
    async def scenario(raw: Raw) -> None:
        raw.request(1, "Wait", timeout_nano=50_000_000)
        assert await raw.answer() == (1, 4, b"")
        raw.request(3, "Wait", timeout_nano=-5)
        assert await raw.answer() == (3, 4, b"")

    with_raw(tmp_path, scenario)


def test_a_peer_that_leaves_cancels_its_calls_and_nothing_else(tmp_path: Path) -> None:
    async def scenario(raw: Raw) -> None:
        cancelled.clear()
        raw.request(1, "Wait")
        raw.request(3, "Join", b"x", frames.REMOTE_OPEN)
        await raw.works(5)
        raw.writer.write(b"\0\0\0")  # leave in the middle of a header
        raw.writer.close()
        while not cancelled:
            await asyncio.sleep(0.01)

    with_raw(tmp_path, scenario)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, 7), st.binary(max_size=30)), max_size=12)
)
def test_any_frames_leave_the_server_working(tmp_path: Path, sent: list[tuple[int, int, int, bytes]]) -> None:
    async def scenario(raw: Raw) -> None:
        for frame in sent:
            raw.send(*frame)
        raw.writer.write(struct.pack(">I", 3))

    with_raw(tmp_path, scenario)


def test_the_number_of_open_calls_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorage_ttrpc.sessions.MAX_CALLS", 2)

    async def scenario(raw: Raw) -> None:
        raw.request(1, "Wait")
        raw.request(3, "Wait")
        raw.request(5)
        assert await raw.answer() == (5, EXHAUSTED, b"")

    with_raw(tmp_path, scenario)


def test_statuses_are_errors_again_at_a_client(tmp_path: Path) -> None:
    async def main() -> None:
        server = servers.Server(SERVICES)
        await server.serve(tmp_path / "s")
        client = await clients.connect(tmp_path / "s")
        with pytest.raises(errors.ResourceExhausted):
            await client.call("s", "Grow", b"")
        with pytest.raises(errors.InvalidArgument, match="cannot be decoded: no"):
            await client.call("s", "Echo", b"bad")
        await client.close()
        await server.close()

    asyncio.run(main())
