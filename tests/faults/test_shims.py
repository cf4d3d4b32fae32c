"""Shims of other runtimes: containerd's own killed and stopped, and one that means us harm.

The host's shim, and the one that ``MOORAGE_SHIM`` names.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moorage_testkit import daemons, leftovers
from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.worlds import verify_world

SHIMS = {"host": shutil.which("containerd-shim-runc-v2"), "named": os.environ.get("MOORAGE_SHIM")}


@pytest.fixture(params=SHIMS)
def shim(request: pytest.FixtureRequest) -> str:
    if not (path := SHIMS[request.param]):
        pytest.skip("needs containerd's shim" if request.param == "host" else "needs MOORAGE_SHIM")
    return str(path)


class Runs:
    """Containers of busybox on one daemon, by the runtime that carries them."""

    def __init__(self, daemon: Daemon, namespace: str, image: str) -> None:
        self.daemon, self.namespace, self.image = daemon, namespace, image

    def ctr(self, *words: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return self.daemon.ctr("-n", self.namespace, *words, check=check, timeout=timeout)

    def start(self, id: str, shim: str = "", *options: str, script: str = "while :; do sleep 0.1; done") -> int:
        """Run it in the background; the pid."""
        runtime = ["--runtime", shim] if shim else []
        self.ctr("run", "-d", "--null-io", *runtime, *options, self.image, id, "sh", "-c", script)
        return int(self.tasks()[id][0])

    def tasks(self) -> dict[str, tuple[str, str]]:
        """Pid and status by id."""
        lines = [line.split() for line in self.ctr("tasks", "ls").stdout.splitlines()[1:]]
        return {id: (pid, status) for id, pid, status in lines}

    def shims(self, id: str) -> list[int]:
        """Those whose command line is about it."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode("utf-8", "replace").split("\0")
            except OSError:
                continue
            if "containerd-shim" in words[0] and self.daemon.address in words and id in words:
                found.append(int(path.parent.name))
        return found

    def remove(self, *ids: str) -> None:
        for id in ids:
            self.ctr("tasks", "rm", "-f", id)
            self.ctr("containers", "rm", id)

    def bundle(self, id: str) -> Path:
        return self.daemon.state / "io.containerd.runtime.v2.task" / self.namespace / id


@pytest.fixture
def namespace() -> str:
    """Of this run alone: daemons share the states of runc, which go by namespace and id."""
    return f"faults-shims-{os.getpid()}"


@pytest.fixture
def daemon(base: Path, namespace: str) -> Iterator[Daemon]:
    with Daemon(daemons.moorage(), base, namespaces=[namespace]) as daemon:
        yield daemon


@pytest.fixture
def busybox(daemon: Daemon, namespace: str, archive: Path) -> str:
    daemon.ctr("-n", namespace, "images", "import", str(archive))
    return daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.strip()


@pytest.fixture
def runs(daemon: Daemon, namespace: str, busybox: str) -> Runs:
    return Runs(daemon, namespace, busybox)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_they_outlive_the_daemon_and_their_log_is_read_again(runs: Runs, shim: str) -> None:
    runs.start("alone", shim)
    for id in ("one", "other"):
        runs.start(id, shim, "--annotation", "io.containerd.runc.v2.group=both")
    before, (carrier,) = runs.tasks(), runs.shims("one")
    for end in (runs.daemon.kill, runs.daemon.terminate):
        end()
        runs.daemon.start()
        assert runs.tasks() == before
        for id in before:
            with open(runs.bundle(id) / "log", "w") as log:  # without a reader this would wait for ever
                log.write(f"{id} after {end.__name__}\n")
        wait_until(lambda end=end: all(f"{id} after {end.__name__}" in runs.daemon.tail(100_000) for id in before))  # type: ignore[misc]
    assert runs.ctr("tasks", "exec", "--exec-id", "e", "other", "echo", "still here").stdout == "still here\n"
    assert runs.shims("one") == [carrier] and runs.shims("other") == []
    runs.remove("one")
    assert runs.shims("one") == [carrier]
    runs.remove("other", "alone")
    wait_until(lambda: not leftovers.runs(carrier))
    verify_world(runs.daemon.world).assert_clean()


def test_one_that_died_while_no_daemon_ran_is_cleared_up(runs: Runs, shim: str) -> None:
    pid, kept = runs.start("dead", shim), runs.start("kept", shim)
    (carrier,) = runs.shims("dead")
    runs.daemon.kill()
    os.kill(carrier, signal.SIGKILL)
    runs.daemon.start()
    wait_until(lambda: list(runs.tasks()) == ["kept"])
    wait_until(lambda: not leftovers.runs(pid) and not runs.bundle("dead").exists())
    assert runs.tasks()["kept"] == (str(kept), "RUNNING")
    runs.ctr("containers", "rm", "dead")
    runs.remove("kept")
    verify_world(runs.daemon.world).assert_clean()


def test_a_stopped_shim_holds_up_nobody(runs: Runs, shim: str) -> None:
    """Its own state is not known for as long, which takes two seconds to say."""
    runs.start("stuck", shim)
    other = runs.start("other", shim)
    ours = runs.start("ours")
    (carrier,) = runs.shims("stuck")
    with stopped(carrier):
        began = time.monotonic()
        assert runs.tasks() == {
            "stuck": ("0", "UNKNOWN"),
            "other": (str(other), "RUNNING"),
            "ours": (str(ours), "RUNNING"),
        }
        listed = time.monotonic() - began
        assert runs.ctr("tasks", "exec", "--exec-id", "e", "other", "echo", "hi").stdout == "hi\n"
        runs.remove("ours")
        assert listed < 10, f"{listed:.1f} s to list, of which two may be waiting"
    assert runs.tasks()["stuck"][1] == "RUNNING"
    runs.remove("stuck", "other")
    verify_world(runs.daemon.world).assert_clean()


def test_the_tasks_of_a_containerd_are_taken_over(runs: Runs, base: Path, archive: Path, namespace: str) -> None:
    """Whoever installs us in its place keeps what runs; it goes on in the shims that carry it."""
    if not shutil.which("containerd"):
        pytest.skip("needs containerd")
    runs.daemon.terminate()
    theirs = Daemon(daemons.containerd(), base / "theirs", namespaces=[namespace])
    (base / "theirs").mkdir()
    with theirs:
        theirs.ctr("-n", namespace, "images", "import", str(archive))
        before = Runs(theirs, namespace, runs.image)
        pid = before.start("web")
        theirs.terminate()
        ours = Daemon(daemons.moorage(), base / "theirs", namespaces=[namespace])
        ours.root = base / "root"  # their metadata is for another page
        with ours:
            after = Runs(ours, namespace, runs.image)
            assert leftovers.runs(pid)
            ours.ctr("-n", namespace, "images", "import", str(archive))
            after.ctr("containers", "create", runs.image, "web", "true")
            assert after.tasks() == {"web": (str(pid), "RUNNING")}
            assert after.ctr("tasks", "exec", "--exec-id", "e", "web", "echo", "taken over").stdout == "taken over\n"
            after.remove("web")
            wait_until(lambda: not leftovers.runs(pid))


Tricks = dict[str, tuple[str, str]]
TRICKS: Tricks = {
    "exits": ("exit 7", "exit status 7"),
    "says-nothing": ("exit 0", "not an address"),
    "noise": ("head -c 65536 /dev/urandom", "not an address|not implemented"),
    "endless": ("exec yes", "answer is longer"),
    "another-version": ('echo \'{"version": 9, "address": "unix:///x", "protocol": "ttrpc"}\'', "version 9"),
    "another-protocol": ('echo \'{"version": 3, "address": "unix:///x", "protocol": "soap"}\'', '"soap"'),
    "abstract": ("echo 'unix://@moorage-hostile'", "not the path|not an address"),
    "relative": ("echo 'unix://sock'", "not an absolute path"),
    "nobody": ("echo 'unix:///nonexistent/sock'", "No such file|unavailable"),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_start_that_is_none_leaves_nothing(runs: Runs, tmp_path: Path, trick: str) -> None:
    script, said = TRICKS[trick]
    path = tmp_path / "containerd-shim-hostile-v1"
    path.write_text(f'#!/bin/sh\ncase "$*" in *delete) exit 0;; esac\n{script}\n')
    path.chmod(0o755)
    failed = runs.ctr("run", "--null-io", "--runtime", str(path), runs.image, "web", "true", check=False)
    assert failed.returncode and re.search(said, failed.stderr), failed.stderr
    assert runs.tasks() == {} and not runs.bundle("web").exists()
    runs.ctr("containers", "rm", "web", check=False)
    assert runs.start("fine")
    runs.remove("fine")
    verify_world(runs.daemon.world).assert_clean()
