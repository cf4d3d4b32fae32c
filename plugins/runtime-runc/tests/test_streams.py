from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage_runtime_runc import openings
from moorage_runtime_runc.hosts import Host
from moorage_runtime_runc.reapers import Reaper
from moorage_runtime_runc.spawns import Spawner
from moorage_runtime_runc.streams import Owner, Streams
from moorage_sdk import errors
from moorage_sdk.tasks import Stdio

OWNER = Owner("ns", "c")


async def opened(stdio: Stdio, *, relay: bool = False) -> Streams:
    return await openings.open_streams(stdio, OWNER, Host(Reaper(), Spawner(), Path()), relay=relay)


def fifo(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    os.mkfifo(path)
    return path


def test_nothing_is_dev_null() -> None:
    streams = Streams()
    assert streams.child == {0: None, 1: None, 2: None}


def test_the_reader_sees_the_end_as_soon_as_the_process_has_ended(tmp_path: Path) -> None:
    async def main() -> None:
        out = fifo(tmp_path, "out")
        client = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
        streams = await opened(Stdio("", str(out)))
        child = streams.child
        assert child is not None and child[1] is not None
        process = os.dup(child[1])
        streams.started()
        os.write(process, b"x")
        os.close(process)
        assert os.read(client, 9) == b"x" and os.read(client, 9) == b""
        await streams.close()
        os.close(client)

    asyncio.run(main())


def test_a_terminal_without_any_stdio_is_drained(tmp_path: Path) -> None:
    async def main() -> None:
        streams = await opened(Stdio(terminal=True))
        assert streams.child is None
        master, slave = pty.openpty()
        streams.attach(master)
        streams.started()
        assert streams.master == master
        os.set_blocking(slave, False)
        written = 0
        async with asyncio.timeout(20):
            while written < 100_000:
                try:
                    written += os.write(slave, bytes(1000))
                except BlockingIOError:
                    await asyncio.sleep(0.001)
        os.close(slave)
        assert await streams.drain(5)
        assert streams.master is None
        await streams.close()

    asyncio.run(main())


def test_adopting_holds_both_directions(tmp_path: Path) -> None:
    async def main() -> None:
        out, into = fifo(tmp_path, "out"), fifo(tmp_path, "in")
        process_in = os.open(into, os.O_RDONLY | os.O_NONBLOCK)
        streams = Streams()
        streams.adopt(Stdio(str(into), f"fifo://{out}", "binary:///x"), stdin_open=True)
        os.close(os.open(out, os.O_WRONLY | os.O_NONBLOCK))  # there is a reader
        client = os.open(into, os.O_WRONLY | os.O_NONBLOCK)
        os.close(client)
        try:
            os.read(process_in, 1)
            ended = True
        except BlockingIOError:
            ended = False
        assert not ended
        streams.close_stdin()
        assert os.read(process_in, 1) == b""
        streams.adopt(Stdio(str(tmp_path / "gone"), str(tmp_path / "gone")), stdin_open=True)
        await streams.close()
        os.close(process_in)

    asyncio.run(main())


def test_what_is_held_is_what_another_goes_on_with(tmp_path: Path) -> None:
    async def main() -> None:
        out, err = fifo(tmp_path, "out"), fifo(tmp_path, "err")
        stdio = Stdio("", str(out), str(err))
        client = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
        other = os.open(err, os.O_RDONLY | os.O_NONBLOCK)
        told: list[set[str]] = []
        streams = await opened(stdio, relay=True)
        streams.changed = lambda: told.append(set(streams.held()))
        child = streams.child
        assert child is not None and child[1] is not None
        process = os.dup(child[1])
        streams.started()
        held = {"stdout", "stderr", "pipe-stdout", "sink-stdout"}  # of the second pipe nobody has the other end
        assert set(streams.held()) == held | {"pipe-stderr", "sink-stderr"}
        escrow = {role: os.dup(fd) for role, fd in streams.held().items()}
        os.write(process, b"one ")
        await eventually(lambda: set(streams.held()) == held)
        await streams.close()
        assert told[-1] == set() == set(streams.held())
        os.write(process, b"two ")  # while nobody lives who moves it
        again = Streams(lambda: told.append(set(again.held())))
        again.adopt(stdio, escrow, stdin_open=False)
        os.write(process, b"three")
        os.close(process)
        assert await again.drain(5)
        assert os.read(client, 99) == b"one two three" and told[-1] == {"stdout", "stderr"}
        await again.close()
        os.close(client)
        os.close(other)

    asyncio.run(main())


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_terminal_is_handed_on(tmp_path: Path) -> None:
    async def main() -> None:
        out, into = fifo(tmp_path, "out"), fifo(tmp_path, "in")
        stdio = Stdio(str(into), str(out), "", True)
        client = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
        streams = await opened(stdio)
        master, slave = pty.openpty()
        tty.setraw(slave)
        streams.attach(master)
        streams.started()
        typing = os.open(into, os.O_WRONLY | os.O_NONBLOCK)
        escrow = {role: os.dup(fd) for role, fd in streams.held().items()}
        assert set(escrow) == {"master", "sink-stdout", "stdout", "source-stdin", "stdin"}
        await streams.close()
        os.write(slave, b"written ")
        os.write(typing, b"typed")
        again = Streams()
        again.adopt(stdio, escrow, stdin_open=True)
        assert await asyncio.to_thread(os.read, slave, 99) == b"typed"
        os.write(slave, b"and more")
        again.close_stdin()
        os.close(typing)  # the end of input of a terminal hangs it up
        await eventually(lambda: again.master is None)
        assert os.read(slave, 9) == b"" and os.read(client, 99) == b"written and more"
        assert set(again.held()) == {"stdout"}
        await again.close()
        os.close(client)
        os.close(slave)

    asyncio.run(main())


async def killed(streams: Streams) -> dict[str, int]:
    """What another process has when this one is killed now."""
    held = {role: os.dup(fd) for role, fd in streams.held().items()}
    assert streams._flows is not None
    for each in streams._flows._outputs:
        each.stop()
    await streams.close()
    return held


def test_a_log_is_gone_on_with_and_moved(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "logs" / "0.log"
        stdio = Stdio("", f"cri-log://{path}", "ignored")
        streams = await opened(stdio)
        child = streams.child
        assert child is not None and child[1] is not None and child[2] is not None
        out, err = os.dup(child[1]), os.dup(child[2])
        with pytest.raises(errors.FailedPrecondition, match="nothing is written yet"):
            streams.reopen_log(path)
        streams.started()
        os.write(out, b"one\ntw")
        await eventually(lambda: "one" in path.read_text())
        escrow = await killed(streams)
        again = Streams()
        again.adopt(stdio, escrow, stdin_open=False)
        os.write(err, b"three\n")
        await eventually(lambda: "three" in path.read_text())
        path.rename(tmp_path / "old")
        before = again.held()["log"]
        told: list[int] = []
        again.changed = lambda: told.append(again.held().get("log", -1))
        again.reopen_log(path)
        assert len(told) == 1 and told[0] != before
        os.write(out, b"o\nfour\n")
        os.close(out)
        os.close(err)
        assert await again.drain(5)
        assert [line[31:] for line in (tmp_path / "old").read_text().splitlines()] == [
            "stdout F one",
            "stderr F three",
        ]
        assert [line[31:] for line in path.read_text().splitlines()] == ["stdout F two", "stdout F four"]
        with pytest.raises(errors.FailedPrecondition, match="is not written by the monitor"):
            again.reopen_log(path)
        assert set(again.held()) == {"log"}
        await again.close()
        assert not again.held()

    asyncio.run(main())


def test_a_terminal_into_a_file(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "log"
        stdio = Stdio("", f"file://{path}", terminal=True)
        streams = await opened(stdio)
        master, slave = pty.openpty()
        streams.attach(master)
        streams.started()
        os.write(slave, b"one\n")
        await eventually(lambda: path.read_bytes() == b"one\r\n")
        escrow = await killed(streams)
        os.write(slave, b"two\n")
        again = Streams()
        again.adopt(stdio, escrow, stdin_open=False)
        os.write(slave, b"three")
        os.close(slave)
        assert await again.drain(5)
        assert path.read_bytes() == b"one\r\ntwo\r\nthree"
        await again.close()

    asyncio.run(main())
