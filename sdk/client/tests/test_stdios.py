"""Both ends in one process: the test plays the daemon at the FIFOs."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage_client import fifos, stdios
from moorage_client.stdios import Attachment, Local


@pytest.fixture
def pipes(tmp_path: Path) -> Iterator[fifos.Fifos]:
    with fifos.temporary(stdin=True, terminal=False, folder=tmp_path) as made:
        yield made


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def limited() -> Any:
        return await asyncio.wait_for(work(), 20)

    before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    result = asyncio.run(limited())
    for thread in threading.enumerate():
        if thread.name.startswith("asyncio_"):
            thread.join(5)
    assert (len(list(Path("/proc/self/fd").iterdir())), threading.active_count()) <= before
    return result


def feed(path: str, data: bytes) -> threading.Thread:
    def write() -> None:
        with open(path, "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def test_all_output_arrives_though_the_writer_is_gone(pipes: fifos.Fifos, tmp_path: Path) -> None:
    data = os.urandom(5_000_000)

    async def work() -> None:
        with open(tmp_path / "out", "wb") as sink:
            attachment = Attachment(pipes.stdio, Local(stdout=sink.fileno()))
            writer = feed(pipes.stdio.stdout, data)
            attachment.start()
            await attachment.finish()
            writer.join()
            await attachment.close()

    run(work)
    assert (tmp_path / "out").read_bytes() == data


def test_what_was_written_before_the_start_is_not_lost(pipes: fifos.Fifos, tmp_path: Path) -> None:
    async def work() -> None:
        with open(tmp_path / "out", "wb") as sink:
            attachment = Attachment(pipes.stdio, Local(stdout=sink.fileno()))
            feed(pipes.stdio.stdout, b"early").join()
            attachment.start()
            await attachment.finish()
            await attachment.close()

    run(work)
    assert (tmp_path / "out").read_bytes() == b"early"


def test_silence_ends_output_that_somebody_holds_open(pipes: fifos.Fifos, tmp_path: Path) -> None:
    async def work() -> None:
        with open(tmp_path / "out", "wb") as sink:
            attachment = Attachment(pipes.stdio, Local(stdout=sink.fileno()))
            attachment.start()
            with open(pipes.stdio.stdout, "wb", buffering=0) as held:
                held.write(b"tail")
                await attachment.finish(silence=0.1)
            await attachment.close()

    run(work)
    assert (tmp_path / "out").read_bytes() == b"tail"


def test_without_a_writer_nothing_is_taken_for_the_end(pipes: fifos.Fifos, tmp_path: Path) -> None:
    async def work() -> None:
        with open(tmp_path / "out", "wb") as sink:
            attachment = Attachment(pipes.stdio, Local(stdout=sink.fileno()))
            attachment.start()
            await asyncio.sleep(0.1)
            writer = feed(pipes.stdio.stdout, b"late")
            await asyncio.to_thread(writer.join)
            await attachment.finish()
            await attachment.close()

    run(work)
    assert (tmp_path / "out").read_bytes() == b"late"


def test_input_reaches_the_fifo_and_its_end_is_told(pipes: fifos.Fifos, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    (tmp_path / "in").write_bytes(data)
    ended = []

    async def work() -> bytes:
        with open(tmp_path / "in", "rb") as source:
            attachment = Attachment(pipes.stdio, Local(stdin=source.fileno()), on_stdin_end=lambda: ended.append(1))
            attachment.start()
            with open(pipes.stdio.stdin, "rb") as daemon:
                received = await asyncio.to_thread(daemon.read)
            await attachment.close()
            return received

    assert run(work) == data
    assert ended == [1]


def test_input_that_nobody_reads_does_not_keep_us(pipes: fifos.Fifos) -> None:
    source, typed = os.pipe()
    os.write(typed, b"x" * 60000)

    async def work() -> None:
        attachment = Attachment(pipes.stdio, Local(stdin=source))
        attachment.start()
        await asyncio.sleep(0.05)
        os.write(typed, b"x" * 60000)
        await asyncio.sleep(0.05)
        await attachment.close()

    run(work)
    os.close(source)
    os.close(typed)


def test_a_reader_of_ours_that_leaves_is_told_once(pipes: fifos.Fifos) -> None:
    reader, sink = os.pipe()
    os.close(reader)
    broken = []

    async def work() -> None:
        attachment = Attachment(pipes.stdio, Local(stdout=sink), on_broken=lambda: broken.append(1))
        attachment.start()
        await asyncio.to_thread(feed(pipes.stdio.stdout, b"y\n" * 200_000).join)
        await attachment.finish()
        await attachment.close()

    run(work)
    os.close(sink)
    assert broken == [1]


def test_detach_keys(pipes: fifos.Fifos) -> None:
    source, typed = os.pipe()
    os.write(typed, b"ab\x10")

    async def work() -> bytes:
        detached = asyncio.Event()
        attachment = Attachment(pipes.stdio, Local(stdin=source), on_detach=detached.set, detach_keys=b"\x10\x11")
        attachment.start()
        os.write(typed, b"\x11cd")
        await detached.wait()
        with open(pipes.stdio.stdin, "rb", buffering=0) as daemon:
            received = daemon.read(100)
        await attachment.close()
        return received or b""

    assert run(work) == b"ab"
    os.close(source)
    os.close(typed)


@pytest.mark.parametrize("step", [1, 2, 3, 100])
def test_keys_are_held_back_only_as_long_as_they_may_be_the_beginning(step: int) -> None:
    keys = stdios._Keys(b"\x10\x11")
    typed = b"\x10a\x10\x10b\x11"
    passed = b"".join(keys.feed(typed[start : start + step])[0] for start in range(0, len(typed), step))
    assert passed == typed


def test_a_missing_fifo_leaks_nothing(tmp_path: Path) -> None:
    with fifos.temporary(stdin=True, terminal=False, folder=tmp_path) as made:
        Path(made.stdio.stdin).unlink()

        async def work() -> None:
            with pytest.raises(FileNotFoundError):
                Attachment(made.stdio, Local(0, 1, 2))

        run(work)
