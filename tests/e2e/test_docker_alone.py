"""Docker's engine that starts the daemon by itself, under the name ``containerd`` and with a file of its own making."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_testkit import daemons, engines
from moorage_testkit.daemons import wait_until
from moorage_testkit.engines import Engine

COUNT = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done"


@pytest.fixture(params=["mooraged", pytest.param("containerd", marks=pytest.mark.full)])
def alone(request: pytest.FixtureRequest, rootfs: bytes, tmp_path: Path) -> Iterator[Engine]:
    if lacking := engines.missing():
        pytest.skip(lacking)
    program = Path(sys.executable).with_name("mooraged") if request.param == "mooraged" else shutil.which("containerd")
    if not program or not Path(program).exists():
        pytest.skip(f"needs {request.param}")
    if Path("/run/containerd/containerd.sock").exists():
        pytest.skip("the host has a containerd of its own, which the engine would take")
    (tmp_path / "containerd").symlink_to(program)
    with daemons.directory() as base:
        with Engine(base / "engine", path=str(tmp_path), settings={"live-restore": True}) as engine:
            engine.load(rootfs, "busybox")
            yield engine


def alive(pid: int) -> bool:
    """As the engine asks itself: a zombie is one that lives."""
    return Path(f"/proc/{pid}").exists()


def exits(docker: Engine, name: str) -> bool:
    """Whether the engine learns of exits."""
    try:
        return docker.docker("exec", name, "sh", "-c", "exit 3", check=False, timeout=5).returncode == 3
    except AssertionError:
        return False


def test_a_life(alone: Engine, request: pytest.FixtureRequest) -> None:
    command = Path(f"/proc/{alone.managed}/cmdline").read_bytes().split(b"\0")
    assert b"--config" in command
    version = alone.docker("info", "-f", "{{.ContainerdCommit.ID}}").stdout
    assert version.startswith("moorage") == ("mooraged" in request.node.name)
    assert alone.docker("run", "--rm", "busybox", "sh", "-c", "exit 7", check=False).returncode == 7
    alone.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", COUNT)
    pid = alone.inspect("web", "{{json .State.Pid}}")

    first = alone.managed
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: alone.managed not in (0, first), 30)
    wait_until(lambda: exits(alone, "web"), 30)
    assert alone.inspect("web", "{{json .State.Pid}}") == pid
    assert alone.docker("run", "--rm", "busybox", "echo", "new").stdout == "new\n"

    second = alone.managed
    alone.kill()
    wait_until(lambda: not alive(second), 30)  # by its parent-death signal
    assert alive(pid)
    alone.start()
    assert alone.managed != second
    assert alone.inspect("web", "{{json .State.Pid}}") == pid
    seen = len(alone.docker("logs", "web").stdout.split())
    wait_until(lambda: len(alone.docker("logs", "web").stdout.split()) > seen)
    alone.docker("stop", "-t", "1", "web")
    assert alone.inspect("web", "{{json .State.ExitCode}}") == 137

    third = alone.managed
    assert alone.terminate() == 0
    assert not alive(third)
