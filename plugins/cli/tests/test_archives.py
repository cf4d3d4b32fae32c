"""Files that are there only when they are whole."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from moorage_cli import archives


def test_a_file_is_there_when_all_of_it_is(tmp_path: Path) -> None:
    target = tmp_path / "x.tar"
    with archives.written(str(target)) as stream:
        stream.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert target.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_leaves_what_was_there_before(tmp_path: Path) -> None:
    target = tmp_path / "x.tar"
    target.write_bytes(b"before")
    with pytest.raises(ZeroDivisionError), archives.written(str(target)) as stream:
        stream.write(b"half")
        raise ZeroDivisionError
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with archives.written(str(pipe)) as stream:
        stream.write(b"through")
    reader.join(20)
    assert read == [b"through"]
    assert pipe.is_fifo()


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), archives.written(str(tmp_path / "none" / "x.tar")):
        pytest.fail("written")
