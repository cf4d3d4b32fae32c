"""Bytes through containers: all of them, in order, and an end."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Moorage = Callable[..., subprocess.CompletedProcess[bytes]]
Command = Callable[..., list[str]]
SIZE = 100_000_000


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "data"
    with open(path, "wb") as file:
        for _ in range(SIZE // 1_000_000):
            file.write(os.urandom(1_000_000))
    return path


def digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_a_hundred_megabytes_out(command: Command, big: Path, tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as out:
        words = command("run", "--rm", "-v", f"{big}:/data:ro", "busybox", "cat", "/data")
        assert subprocess.run(words, stdout=out, timeout=120, check=False).returncode == 0
    assert digest(tmp_path / "out") == digest(big)


def test_a_hundred_megabytes_through(command: Command, big: Path, tmp_path: Path) -> None:
    with open(big, "rb") as source, open(tmp_path / "out", "wb") as out:
        words = command("run", "--rm", "-i", "busybox", "cat")
        assert subprocess.run(words, stdin=source, stdout=out, timeout=120, check=False).returncode == 0
    assert digest(tmp_path / "out") == digest(big)


def test_through_exec(moorage: Moorage) -> None:
    moorage("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    data = os.urandom(10_000_000)
    done = moorage("exec", "-i", "web", "sh", "-c", "cat; cat /proc/self/comm >&2", input=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, data, b"cat\n")


def test_the_two_outputs_are_apart(moorage: Moorage) -> None:
    done = moorage("run", "--rm", "busybox", "sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done")
    assert (done.stdout, done.stderr) == (b"o1\no2\no3\n", b"e1\ne2\ne3\n")


@pytest.mark.parametrize("server", ["mooraged"], indirect=True)
def test_both_outputs_of_a_short_program_are_in_its_log(moorage: Moorage) -> None:
    """Ours alone: under containerd's shim now and then the second is missing."""
    for number in range(4):
        name = f"short-{number}"
        moorage("run", "-d", "--name", name, "busybox", "sh", "-c", "echo one; echo two >&2; echo three")
        moorage("wait", name)
        assert sorted(moorage("logs", name).stdout.split()) == [b"one", b"three", b"two"]


def test_the_last_bytes_of_a_process_that_ends_at_once(moorage: Moorage) -> None:
    for _ in range(5):
        done = moorage("run", "--rm", "busybox", "sh", "-c", "head -c 60000 /dev/zero; exit 3")
        assert (done.returncode, len(done.stdout)) == (3, 60_000)


def test_a_reader_that_has_enough_ends_the_container(command: Command, moorage: Moorage) -> None:
    words = command("run", "--rm", "--name", "web", "busybox", "yes")
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(2) == b"y\n"
        process.stdout.close()
        assert process.wait(60) == 137
    assert moorage("ps", "-aq").stdout == b""


def test_an_empty_input_is_an_end(moorage: Moorage) -> None:
    assert moorage("run", "--rm", "-i", "busybox", "cat", stdin=subprocess.DEVNULL).returncode == 0


def test_a_program_that_closes_its_input(moorage: Moorage) -> None:
    done = moorage("run", "--rm", "-i", "busybox", "sh", "-c", "exec <&-; sleep 0.3; echo done", input=b"x" * 1_000_000)
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_we_are_killed_and_the_container_goes_on(command: Command, moorage: Moorage) -> None:
    words = command("run", "--name", "web", "busybox", "sh", "-c", "echo ready; sleep 1000")
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert moorage("ps", "-q").stdout == b"web\n"
    assert moorage("rm", "-f", "web").returncode == 0
