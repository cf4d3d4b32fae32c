"""What an engine left is ended and removed, and nothing of others."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_sys import mountinfo
from moorage_testkit import leftovers
from moorage_testkit.leftovers import Leftovers

NAME = f"docker-test-{os.getpid()}"


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(leftovers, "KEY", tmp_path / "key.json")
    monkeypatch.setattr(leftovers, "OUTSIDE", (tmp_path / "run" / "plugins", tmp_path / "run"))
    return tmp_path


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def cgroups() -> list[Path]:
    return [Path(each.mount_point, NAME) for each in mountinfo.read() if each.type in ("cgroup", "cgroup2")]


@pytest.mark.skipif(bool(os.geteuid()) or not cgroups(), reason="needs root and cgroups")
def test_processes_and_cgroups(sleeper: subprocess.Popen[bytes]) -> None:
    tree = cgroups()[0]
    (tree / "container").mkdir(parents=True)
    try:
        (tree / "container" / "cgroup.procs").write_text(str(sleeper.pid))
        Leftovers(f"{NAME}-other").kill()
        assert leftovers.runs(sleeper.pid)
        Leftovers(NAME).kill()
        assert not leftovers.runs(sleeper.pid)
        sleeper.wait()
    finally:
        Leftovers(NAME).remove()
    assert not tree.exists()


def test_shims_of_that_address_only() -> None:
    def shim(address: str) -> subprocess.Popen[bytes]:
        words = ["containerd-shim-test", "-c", "input()", "-address", address]
        return subprocess.Popen(words, executable=sys.executable, stdin=subprocess.PIPE)

    with shim("/tmp/a.sock") as one, shim("/tmp/a.sock.other") as other:
        Leftovers(NAME, "/tmp/a.sock").kill()
        assert one.wait(30) == -9
        assert other.poll() is None
        other.kill()


def test_what_was_there_before_stays(outside: Path) -> None:
    first = Leftovers(NAME)
    (outside / "key.json").touch()
    second = Leftovers(NAME)
    (outside / "run" / "plugins").mkdir(parents=True)
    (outside / "run" / "theirs").touch()
    second.remove()
    assert sorted(path.name for path in outside.rglob("*")) == ["key.json", "run", "theirs"]
    first.remove()
    assert not (outside / "key.json").exists()


def test_a_process_that_is_not() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not leftovers.runs(process.pid), "a zombie"
    assert not leftovers.runs(process.pid)
