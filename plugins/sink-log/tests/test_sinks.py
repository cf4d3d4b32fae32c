import json
import logging
import os
import subprocess
from pathlib import Path

import pytest

from moorage_sdk.events import Envelope, Payload
from moorage_sink_log.sinks import FileSink, LogSink


def envelope(number: int = 1) -> Envelope:
    return Envelope(number, "default", f"/n/{number}", Payload("t", b"x"))


def topics(path: Path) -> list[str]:
    return [json.loads(line)["topic"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING])
def test_events_reach_the_log_at_their_level(level: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "moorage.events")
    LogSink(level).deliver(envelope())
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(level, "default /n/1 t")]


def test_events_are_appended_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "events"
    for number in range(2):
        sink = FileSink(path)
        sink.deliver(envelope(number))
        sink.close()
        sink.close()
    assert topics(path) == ["/n/0", "/n/1"]


@pytest.mark.parametrize("umask", [0, 0o077])  # the second is the daemon's
def test_the_file_is_not_open_to_others_nor_to_children(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        sink = FileSink(tmp_path / "events")
    finally:
        os.umask(old)
    assert (tmp_path / "events").stat().st_mode & 0o777 == 0o640
    assert not os.get_inheritable(sink._fd)
    sink.close()


def test_a_file_that_was_moved_or_removed_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "events"
    sink = FileSink(path)
    sink.deliver(envelope(1))
    path.rename(tmp_path / "events.1")
    sink.deliver(envelope(2))
    path.unlink()
    sink.deliver(envelope(3))
    sink.close()
    assert topics(tmp_path / "events.1") == ["/n/1"]
    assert topics(path) == ["/n/3"]


def test_a_file_that_cannot_be_made_anew_closes_nobody_elses_descriptor(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    sink = FileSink(folder / "events")
    folder.rename(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        sink.deliver(envelope(1))
    others = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]  # take the number that may have become free
    with pytest.raises(FileNotFoundError):
        sink.deliver(envelope(2))
    for fd in others:
        os.close(fd)  # raises for one that was closed behind our back
    folder.mkdir()
    sink.deliver(envelope(3))
    sink.close()
    assert topics(folder / "events") == ["/n/3"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "events").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        FileSink(tmp_path / "events")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a tmpfs")
def test_a_full_disk_loses_whole_lines_only(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=True)
    try:
        sink = FileSink(tmp_path / "events")
        refused = 0
        for number in range(2000):
            try:
                sink.deliver(envelope(number))
            except OSError:
                refused += 1
        sink.close()
        assert refused > 0
        assert topics(tmp_path / "events") == [f"/n/{number}" for number in range(2000 - refused)]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
