"""The daemon's end of a shim's log."""

import asyncio
import logging
import os
from pathlib import Path

import pytest

from moorage_sdk.tasks import Bundle
from moorage_tasks_shim.logs import ShimLog


def test_lines_of_any_number_of_writers_arrive(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        log = ShimLog(Bundle(str(tmp_path), "ns", "web"))
        for text in (b"one\ntw", b"o\n", b"\xff" + b"x" * 40_000):
            # A writer that comes and goes: without a reader this open would fail.
            fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_NONBLOCK)
            os.write(fd, text)
            os.close(fd)
            await asyncio.sleep(0.01)
        log.close()
        log.close()

    with caplog.at_level(logging.INFO, "moorage.shim"):
        asyncio.run(run())
    assert caplog.messages[:2] == ["ns/web: one", "ns/web: two"]
    assert caplog.messages[2].startswith("ns/web: \\xff")


def test_a_log_that_is_there_from_before_is_opened_again(tmp_path: Path) -> None:
    async def run() -> None:
        for _ in range(2):
            ShimLog(Bundle(str(tmp_path), "ns", "web")).close()

    asyncio.run(run())
    assert (tmp_path / "log").is_fifo()


def test_a_shim_that_writes_without_end_waits_and_nobody_else_does(tmp_path: Path) -> None:
    """Every line is work on the loop, and thousands of short ones fit where one is expected."""
    counted: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: counted.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("moorage.shim").addHandler(handler)

    async def run() -> None:
        log = ShimLog(Bundle(str(tmp_path), "ns", "web"))
        words = ["sh", "-c", f"exec yes > {tmp_path / 'log'}"]
        writer = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
        turns = 0
        loop = asyncio.get_running_loop()
        end = loop.time() + 1.0
        while loop.time() < end:
            await asyncio.sleep(0)
            turns += 1
        writer.kill()
        await writer.wait()
        log.close()
        assert 0 < len(counted) < 10_000  # a pipe carries millions in that time
        assert turns > 100

    logging.getLogger("moorage.shim").setLevel(logging.INFO)
    try:
        asyncio.run(run())
    finally:
        logging.getLogger("moorage.shim").removeHandler(handler)
        logging.getLogger("moorage.shim").setLevel(logging.NOTSET)


def test_nothing_that_was_written_before_the_end_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        log = ShimLog(Bundle(str(tmp_path), "ns", "web"))
        with open(tmp_path / "log", "wb", buffering=0) as file:
            file.write(b"one\n")
            await asyncio.sleep(0.05)
            file.write(b"two\nthree\n")
            log.close()

    with caplog.at_level(logging.INFO, "moorage.shim"):
        asyncio.run(run())
    assert caplog.messages == ["ns/web: one", "ns/web: two", "ns/web: three"]
