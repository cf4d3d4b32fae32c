"""Docker's containers while the engine or the daemon under it goes away and comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from moorage_testkit import traces
from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.engines import Engine
from moorage_testkit.traces import Place

SETTINGS = {"live-restore": True}

COUNT = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done"
ECHO = "while read x; do echo got $x; [ $x != end ] || exit 4; done"


def numbers(docker: Engine, name: str) -> list[int]:
    return [int(line) for line in docker.docker("logs", name).stdout.split()]


def state(docker: Engine, name: str) -> Any:
    return docker.inspect(name, "{{json .State}}")


@contextmanager
def attached(docker: Engine, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A client with pipes. Killed at the end, for an attached one passes signals on."""
    with subprocess.Popen(
        docker.words(*words), env=docker.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def talk(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    return process.stdout.readline()


def goes_on(docker: Engine, name: str) -> None:
    """Its log grows, and what it counts never goes back."""
    seen = len(numbers(docker, name))
    wait_until(lambda: len(numbers(docker, name)) > seen + 2)
    counted = numbers(docker, name)
    assert counted == sorted(set(counted))


def test_the_engine_is_killed(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", COUNT)
    docker.docker("run", "-d", "--name", "ends", "busybox", "sh", "-c", "sleep 1; exit 5")
    docker.docker("run", "-di", "--name", "talks", "busybox", "sh", "-c", ECHO)
    docker.docker("run", "-dit", "--name", "terminal", "busybox", "sh", "-c", ECHO)
    pid = state(docker, "web")["Pid"]
    docker.kill()
    time.sleep(1.5)  # in which one of them ends and nobody looks
    docker.start()
    assert (state(docker, "web")["Status"], state(docker, "web")["Pid"]) == ("running", pid)
    assert (state(docker, "ends")["Status"], state(docker, "ends")["ExitCode"]) == ("exited", 5)
    goes_on(docker, "web")
    with attached(docker, "attach", "talks") as process:
        assert talk(process, "one") == "got one\n"
        assert talk(process, "end") == "got end\n"
        assert process.wait(30) == 4
    assert "got end" in docker.docker("logs", "talks").stdout
    docker.docker("exec", "web", "true")
    docker.docker("stop", "-t", "1", "web", "terminal")
    assert state(docker, "web")["ExitCode"] == 137
    docker.docker("start", "web", "talks")
    assert state(docker, "web")["Running"]


def test_the_engine_is_stopped_and_started(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", COUNT)
    pid = state(docker, "web")["Pid"]
    assert docker.terminate() == 0
    docker.start()
    assert state(docker, "web")["Pid"] == pid
    goes_on(docker, "web")
    docker.docker("kill", "web")
    assert docker.docker("wait", "web").stdout == "137\n"


def hears(docker: Engine, name: str) -> bool:
    """Whether the engine listens to the daemon: else it does not learn how an exec ended, and waits or says 0."""
    try:
        return docker.docker("exec", name, "sh", "-c", "exit 3", check=False, timeout=5).returncode == 3
    except AssertionError:
        return False


@pytest.fixture
def daemon(docked: Any, docker: Engine) -> Iterator[Daemon]:
    """The daemon under the engine, which a test may stop; it runs again before the engine is cleared."""
    yield docked.daemon
    if docked.daemon.process.poll() is not None:
        docked.daemon.start()


@pytest.mark.parametrize("gently", [False, True], ids=["killed", "stopped"])
def test_the_daemon_goes_and_comes(daemon: Daemon, docker: Engine, gently: bool) -> None:
    until = "while [ ! -e /end ]; do sleep 0.1; done"
    docker.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", COUNT)
    docker.docker("run", "-d", "--name", "ends", "busybox", "sh", "-c", f"{until}; exit 5")
    docker.docker("run", "-d", "--name", "again", "--restart", "always", "busybox", "sh", "-c", f"{until}; rm /end")
    pid = state(docker, "web")["Pid"]
    with attached(docker, "run", "-i", "--name", "talks", "busybox", "sh", "-c", ECHO) as process:
        assert talk(process, "one") == "got one\n"
        wait_until(lambda: state(docker, "talks")["Running"])  # it talks before the engine has started it
        daemon.terminate() if gently else daemon.kill()
        assert talk(process, "two") == "got two\n"
        daemon.start()
        assert talk(process, "three") == "got three\n"
        wait_until(lambda: hears(docker, "web"), 30)
        assert talk(process, "end") == "got end\n"
        assert process.wait(30) == 4
    for name in ("ends", "again"):
        docker.docker("exec", name, "touch", "/end")
    assert docker.docker("wait", "ends").stdout == "5\n"
    wait_until(lambda: docker.inspect("again", "{{json .RestartCount}}") == 1)
    assert state(docker, "web")["Pid"] == pid
    goes_on(docker, "web")
    docker.docker("stop", "-t", "1", "web")
    assert state(docker, "web")["ExitCode"] == 137
    assert docker.docker("run", "--rm", "busybox", "echo", "new").stdout == "new\n"


@pytest.mark.parametrize("docked", ["mooraged"], indirect=True)
def test_one_that_ends_while_there_is_no_daemon(daemon: Daemon, docker: Engine) -> None:
    """Ours alone: from containerd the engine never learns of it, and goes on to show the container as running."""
    docker.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", COUNT)
    docker.docker("run", "-d", "--name", "ends", "busybox", "sh", "-c", "sleep 1; echo bye; exit 5")
    daemon.kill()
    time.sleep(1.5)
    daemon.start()
    wait_until(lambda: hears(docker, "web"), 30)
    wait_until(lambda: state(docker, "ends")["Status"] == "exited", 20)
    assert state(docker, "ends")["ExitCode"] == 5
    assert docker.docker("logs", "ends").stdout == "bye\n"


def test_both_are_killed(daemon: Daemon, docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", COUNT)
    docker.docker("run", "-d", "--name", "ends", "busybox", "sh", "-c", "sleep 1; exit 5")
    pid = state(docker, "web")["Pid"]
    daemon.kill()
    docker.kill()
    time.sleep(1.5)
    daemon.start()
    docker.start()
    assert state(docker, "web")["Pid"] == pid
    assert (state(docker, "ends")["Status"], state(docker, "ends")["ExitCode"]) == ("exited", 5)
    goes_on(docker, "web")
    docker.docker("stop", "-t", "1", "web")
    assert state(docker, "web")["ExitCode"] == 137


@pytest.mark.parametrize("docked", ["mooraged"], indirect=True)
def test_the_monitor_is_killed(daemon: Daemon, docker: Engine) -> None:
    """Ours alone: a container of containerd's dies with its shim."""
    docker.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", COUNT)
    docker.docker("run", "-d", "--name", "ends", "busybox", "sh", "-c", "sleep 1; exit 5")
    pid = state(docker, "web")["Pid"]
    with attached(docker, "run", "-i", "--name", "talks", "busybox", "sh", "-c", ECHO) as process:
        assert talk(process, "one") == "got one\n"
        wait_until(lambda: state(docker, "talks")["Running"])
        os.kill(monitor(daemon), signal.SIGKILL)
        assert talk(process, "two") == "got two\n"
        wait_until(lambda: not docker.docker("exec", "web", "true", check=False).returncode)
        assert talk(process, "end") == "got end\n"
        assert process.wait(30) == 4
    assert docker.docker("wait", "ends").stdout == "5\n"
    assert state(docker, "web")["Pid"] == pid
    goes_on(docker, "web")
    docker.docker("stop", "-t", "1", "web")
    assert state(docker, "web")["ExitCode"] == 137


def monitor(daemon: Daemon) -> int:
    """The process that carries the daemon's containers."""
    processes = traces.look(Place(daemon.root, daemon.state, daemon.namespaces), daemon.pid).processes
    return next(each.pid for each in processes if "moorage_runtime_runc.monitor" in each.command)
