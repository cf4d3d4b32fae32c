from __future__ import annotations

import asyncio
import errno
import os
import pty
import select
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from moorage_runtime_runc.pumps import Pump


async def finished(pump: Pump) -> None:
    await asyncio.wait_for(pump.done.wait(), 20)


def test_everything_arrives_however_slow_the_sink() -> None:
    async def main() -> None:
        source, feed = os.pipe()
        taken, sink = os.pipe()
        pump = Pump(source, sink, lambda: os.close(sink))
        data = bytes(range(256)) * 4096
        writer = asyncio.create_task(asyncio.to_thread(_write_all, feed, data))
        got = bytearray()
        while len(got) < len(data):
            got += await asyncio.to_thread(os.read, taken, 3001)
        await writer
        await finished(pump)
        assert bytes(got) == data and os.read(taken, 1) == b""
        os.close(taken)

    asyncio.run(main())


def _write_all(fd: int, data: bytes) -> None:
    with open(fd, "wb", buffering=0) as file:
        while data:
            data = data[file.write(data) :]


def test_files_and_dev_null_are_sinks_too(tmp_path: Path) -> None:
    async def main() -> None:
        for target in (tmp_path / "log", Path("/dev/null")):
            source, feed = os.pipe()
            sink = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            pump = Pump(source, sink)
            os.write(feed, b"line\n")
            os.close(feed)
            await finished(pump)
            os.close(source)
            os.close(sink)
        assert (tmp_path / "log").read_bytes() == b"line\n"

    asyncio.run(main())


def test_a_sink_that_is_gone_does_not_stop_the_source() -> None:
    async def main() -> None:
        source, feed = os.pipe()
        taken, sink = os.pipe()
        os.close(taken)
        pump = Pump(source, sink)
        await asyncio.to_thread(_write_all, feed, bytes(1 << 20))
        await finished(pump)
        os.close(source)
        os.close(sink)

    asyncio.run(main())


def test_a_terminal_ends_when_its_other_side_closes() -> None:
    async def main() -> None:
        master, slave = pty.openpty()
        taken, sink = os.pipe()
        ended: list[bool] = []
        pump = Pump(master, sink, lambda: ended.append(True))
        os.write(slave, b"bye\n")
        os.close(slave)
        await finished(pump)
        assert os.read(taken, 99) == b"bye\r\n" and ended == [True]
        for fd in (master, taken, sink):
            os.close(fd)

    asyncio.run(main())


def test_nowhere_is_a_sink() -> None:
    async def main() -> None:
        source, feed = os.pipe()
        pump = Pump(source, None)
        await asyncio.to_thread(_write_all, feed, bytes(1 << 20))
        await finished(pump)
        os.close(source)

    asyncio.run(main())


def test_what_was_not_moved_when_it_stopped_is_in_the_source_still() -> None:
    async def main() -> None:
        source, feed = os.pipe()
        taken, sink = os.pipe()
        pump = Pump(source, sink, pytest.fail)
        data = b"".join(b"%d\n" % number for number in range(20_000))
        writer = asyncio.create_task(asyncio.to_thread(_write_all, feed, data))
        await asyncio.sleep(0.1)  # the sink is full by then, so the pump waits for it
        pump.stop()
        pump.stop()
        got = bytearray()
        while chunk := _read_now(taken):
            got += chunk
        assert 0 < len(got) < len(data)
        another = Pump(source, sink, lambda: os.close(sink))
        while chunk := await asyncio.to_thread(os.read, taken, 1 << 16):
            got += chunk
        await writer
        await finished(another)
        assert bytes(got) == data
        os.close(source)
        os.close(taken)

    asyncio.run(main())


def _read_now(fd: int) -> bytes:
    return os.read(fd, 1 << 16) if select.select([fd], [], [], 0)[0] else b""


def test_a_source_that_has_something_does_not_keep_us_busy_while_there_is_no_room() -> None:
    async def main() -> None:
        source, feed = os.pipe()
        taken, sink = os.pipe()
        pump = Pump(source, sink)
        await asyncio.to_thread(os.write, feed, bytes(60_000))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(os.write, feed, bytes(60_000))
        await asyncio.sleep(0.05)
        before = time.process_time()
        await asyncio.sleep(0.3)
        assert time.process_time() - before < 0.1
        pump.stop()
        for fd in (source, feed, taken, sink):
            os.close(fd)

    asyncio.run(main())


def test_where_the_kernel_cannot_splice_bytes_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with terminals before Linux 5.11."""

    def refuse(*arguments: Any, **options: Any) -> int:
        raise OSError(errno.EINVAL, "refused")

    monkeypatch.setattr(os, "splice", refuse)
    test_everything_arrives_however_slow_the_sink()
    test_a_sink_that_is_gone_does_not_stop_the_source()
    test_a_terminal_ends_when_its_other_side_closes()


def test_a_source_that_never_dries_up_leaves_others_their_turn() -> None:
    async def main() -> None:
        source, feed = os.pipe()
        pump = Pump(source, None)
        moves: list[int] = []
        pump._move = lambda: moves.append(1) or 1  # type: ignore[func-returns-value]
        os.write(feed, b"there is something")
        seen = [0]
        while seen[-1] < 100:
            await asyncio.sleep(0)
            seen.append(len(moves))
        pump.stop()
        os.close(source)
        os.close(feed)
        assert max(after - before for before, after in pairwise(seen)) == 16

    asyncio.run(main())
