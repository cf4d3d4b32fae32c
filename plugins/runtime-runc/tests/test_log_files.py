from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_runtime_runc import log_files
from moorage_runtime_runc.log_files import LogFile
from moorage_sdk import errors


@pytest.fixture
def file(tmp_path: Path) -> Iterator[LogFile]:
    file = LogFile(log_files.open_log(tmp_path / "log"))
    yield file
    os.close(file.fd)


def test_a_log_is_made_with_its_folder_and_for_its_group_to_read(tmp_path: Path) -> None:
    path = tmp_path / "pods" / "x" / "0.log"
    umask = os.umask(0)
    try:
        fd = log_files.open_log(path)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
    os.write(fd, b"one")
    again = log_files.open_log(path)
    os.write(again, b"two")
    os.write(fd, b"three")
    assert path.read_bytes() == b"onetwothree"
    os.close(fd)
    os.close(again)


def test_what_is_no_file_is_refused_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "folder").mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("link", "nowhere", "fifo", "folder"):
        with pytest.raises(errors.InvalidArgument, match="not a regular file"):
            log_files.open_log(tmp_path / name)
    os.close(reader)
    with pytest.raises(errors.InvalidArgument, match="not a regular file"):
        log_files.open_log(tmp_path / "fifo")  # also without a reader, and without waiting for one
    with pytest.raises(errors.InvalidArgument, match=r'"\.\." in its path'):
        log_files.open_log(tmp_path / ".." / "log")
    assert len(list(Path("/proc/self/fd").iterdir())) == before - 1
    assert (tmp_path / "target").read_text() == "kept" and not (tmp_path / "none").exists()


@pytest.mark.parametrize("there", [b"", b"on", b"one\n", b"one\ntwo\n"])
def test_what_was_begun_is_finished_and_not_doubled(file: LogFile, tmp_path: Path, there: bytes) -> None:
    file.append(b"before\n" + there)
    file.continued(7, b"one\ntwo\n")
    assert (tmp_path / "log").read_bytes() == b"before\none\ntwo\n"


def test_in_another_file_it_is_written_from_its_start(file: LogFile, tmp_path: Path) -> None:
    file.append(b"another\n")
    file.continued(3, b"one\n")
    file.continued(500, b"two\n")
    assert (tmp_path / "log").read_bytes() == b"another\none\ntwo\n"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A disk that takes as many bytes as the first element says."""
    room, write = [0], os.write

    def limited(fd: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = write(fd, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", limited)
    yield room


def test_a_full_disk_takes_whole_lines_and_is_told_of_once(
    file: LogFile, tmp_path: Path, full: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    full[0] = 6
    file.append(b"one\ntwo\n")
    file.append(b"three\n")
    assert (tmp_path / "log").read_bytes() == b"one\n"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert 'log": No space left' in caplog.text and file.dropped == 10
    full[0] = 1000
    file.append(b"four\n")
    assert (tmp_path / "log").read_bytes() == b"one\nfour\n"
    assert "after 10 bytes that are lost" in caplog.text and file.dropped == 0
