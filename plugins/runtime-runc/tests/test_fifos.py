from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from moorage_runtime_runc import fifos
from moorage_sdk import errors


def make(tmp_path: Path) -> Path:
    path = tmp_path / "f"
    os.mkfifo(path)
    return path


def test_the_writer_waits_for_a_reader_and_blocks_afterwards(tmp_path: Path) -> None:
    async def main() -> None:
        path = make(tmp_path)
        writer = asyncio.create_task(fifos.open_writer(path))
        await asyncio.sleep(0.1)
        assert not writer.done()
        reader = fifos.open_reader(path)
        fd = await writer
        assert os.get_blocking(fd) and not os.get_blocking(reader)
        os.write(fd, b"x")
        os.close(fd)
        assert os.read(reader, 10) == b"x" and os.read(reader, 10) == b""
        os.close(reader)

    asyncio.run(main())


def test_nobody_reads(tmp_path: Path) -> None:
    path = make(tmp_path)
    with pytest.raises(errors.DeadlineExceeded, match=r"no reader within 0\.05 s"):
        asyncio.run(fifos.open_writer(path, 0.05))
    assert fifos.try_writer(path) is None


def test_errors_have_their_class(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound):
        fifos.is_fifo(tmp_path / "none")
    with pytest.raises(errors.NotFound):
        fifos.open_reader(tmp_path / "none")
    with pytest.raises(errors.Error, match="Is a directory"):
        asyncio.run(fifos.open_writer(tmp_path))
    assert not fifos.is_fifo(tmp_path)
