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
