from __future__ import annotations

import asyncio
import os
import pty
from pathlib import Path

from moorage_runtime_runc.pumps import Pump


async def finished(pump: Pump) -> None:
    await asyncio.wait_for(pump.done.wait(), 20)


def test_everything_arrives_however_slow_the_sink(tmp_path: Path) -> None:
    async def main() -> None:
        source, feed = os.pipe()
        taken, sink = os.pipe()
        pump = Pump(source, sink)
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
            pump = Pump(source, os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
            os.write(feed, b"line\n")
            os.close(feed)
            await finished(pump)
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
        os.close(taken)

    asyncio.run(main())


def test_close_stops_it_and_happens_once() -> None:
    async def main() -> None:
        source, feed = os.pipe()
        taken, sink = os.pipe()
        pump = Pump(source, sink)
        os.write(feed, bytes(60_000))
        await asyncio.sleep(0.05)
        os.write(feed, bytes(60_000))  # the sink is full now, so the pump waits for it
        await asyncio.sleep(0.05)
        pump.close()
        reused = os.open(os.devnull, os.O_RDONLY)
        pump.close()
        os.fstat(reused)
        for fd in (feed, taken, reused):
            os.close(fd)

    asyncio.run(main())
