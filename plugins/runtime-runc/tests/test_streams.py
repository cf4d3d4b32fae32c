from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Callable
from pathlib import Path

from moorage_runtime_runc.streams import Owner, Streams
from moorage_sdk.tasks import Stdio

OWNER = Owner("ns", "c")


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
        streams = Streams()
        await streams.add_output(1, str(out), OWNER, relay=False)
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
        streams = Streams()
        await streams.prepare_terminal(Stdio(terminal=True), OWNER)
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
        streams = Streams(lambda: told.append(set(streams.held())))
        for number, path in ((1, out), (2, err)):
            await streams.add_output(number, str(path), OWNER, relay=True)
        child = streams.child
        assert child is not None and child[1] is not None
        process = os.dup(child[1])
        streams.started()
        held = {"stdout", "stderr", "pipe-stdout", "sink-stdout"}  # of the second pipe nobody has the other end
        assert told[-1] == held | {"pipe-stderr", "sink-stderr"}
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
        streams = Streams()
        await streams.prepare_terminal(stdio, OWNER)
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
