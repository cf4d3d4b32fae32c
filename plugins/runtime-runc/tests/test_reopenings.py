from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from moorage_runtime_runc import reopenings
from moorage_sdk.tasks import Stdio


class Process:
    """One that has pipes, or whatever else, as its outputs, and waits."""

    def __init__(self, **outputs: int) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, **outputs)
        self.pid = self._process.pid

    def end(self) -> None:
        self._process.communicate(b"\n")


def lasting() -> tuple[int, int]:
    """A pipe whose second end is for both."""
    read, write = os.pipe2(os.O_CLOEXEC)
    both = os.open(f"/proc/self/fd/{write}", os.O_RDWR | os.O_CLOEXEC)
    os.close(write)
    return read, both


@pytest.fixture
def fifos(tmp_path: Path) -> Stdio:
    paths = [tmp_path / name for name in ("in", "out", "err")]
    for path in paths:
        os.mkfifo(path)
    return Stdio(*map(str, paths))


@pytest.fixture
def found() -> Iterator[dict[str, int]]:
    found: dict[str, int] = {}
    yield found
    close(found)


def close(ends: Mapping[str, int]) -> None:
    for fd in ends.values():
        os.close(fd)


def test_fifos_of_a_process_that_has_them_itself(fifos: Stdio, found: dict[str, int]) -> None:
    source = os.open(fifos.stdin, os.O_RDONLY | os.O_NONBLOCK)
    found.update(reopenings.find(fifos, os.getpid(), (), stdin_open=True))
    assert set(found) == {"stdin", "stdout", "stderr"}
    os.close(source)
    assert not reopenings.find(fifos, os.getpid(), found, stdin_open=True)


def test_a_pipe_is_found_by_the_process_that_has_it(fifos: Stdio, found: dict[str, int]) -> None:
    (read, out), (unused, err) = lasting(), os.pipe2(os.O_CLOEXEC)
    process = Process(stdout=out, stderr=err)
    os.write(out, b"said while nobody lived")
    for fd in (read, out, unused, err):
        os.close(fd)
    found.update(reopenings.find(fifos, process.pid, (), stdin_open=False))
    assert set(found) == {"stdout", "stderr", "pipe-stdout", "sink-stdout"}  # the second is a pipe of its own
    assert os.read(found["pipe-stdout"], 99) == b"said while nobody lived"
    process.end()
    assert os.read(found["pipe-stdout"], 99) == b""


def test_a_pipe_that_was_logged_is_again(tmp_path: Path, found: dict[str, int]) -> None:
    read, out = lasting()
    process = Process(stdout=out, stderr=out)
    os.close(read)
    os.close(out)
    stdio = Stdio("", f"cri-log://{tmp_path}/log")
    found.update(reopenings.find(stdio, process.pid, {"pipe-stderr"}, stdin_open=False))
    assert set(found) == {"pipe-stdout", "spool-stdout", "log"}
    process.end()


def test_what_is_gone_is_left_out(tmp_path: Path) -> None:
    process = Process()
    process.end()
    for stdio in (Stdio(str(tmp_path / "a"), str(tmp_path / "b"), "binary:///x"), Stdio(), Stdio("", "cri-log:///x")):
        assert not reopenings.find(stdio, process.pid, (), stdin_open=True)
