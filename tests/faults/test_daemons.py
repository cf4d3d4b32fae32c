"""The daemon's own life: a second one, a gentle end with requests under way, and death inside a transaction."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from moorage_testkit import daemons
from moorage_testkit.daemons import Daemon, Program, moorage, wait_until
from moorage_testkit.worlds import verify_world

BUSYBOX = "docker.io/library/busybox:test"


def test_a_second_daemon_is_refused_and_told_by_whom(daemon: Daemon, base: Path, namespace: str, busybox: str) -> None:
    second = Daemon(moorage(), base)
    second.address = str(base / "second.sock")
    second.log = base / "second.log"
    process = second.spawn()
    assert process.wait(60) == 1
    assert f"in use by the daemon with pid {daemon.pid}" in second.tail()
    assert not Path(second.address).exists()
    assert busybox in daemon.ctr("-n", namespace, "images", "ls", "-q").stdout
    verify_world(daemon.world).assert_clean()


@pytest.mark.parametrize("shared", ["root", "state"])
def test_one_shared_directory_is_enough_to_be_refused(daemon: Daemon, base: Path, shared: str) -> None:
    (base / "other").mkdir()
    second = Daemon(moorage(), base / "other")
    setattr(second, shared, getattr(daemon, shared))
    assert second.spawn().wait(60) == 1
    assert f'{shared} "{getattr(daemon, shared)}": in use by the daemon with pid {daemon.pid}' in second.tail()
    assert daemons.answers(daemon.address)


def test_the_refusal_is_quicker_than_a_start(base: Path) -> None:
    """Median of three each, for the machine is busy."""
    starts, refusals = [], []
    for _ in range(3):
        with Daemon(moorage(), base) as daemon:
            starts.append(daemon.started)
            second = Daemon(moorage(), base)
            began = time.monotonic()
            second.spawn().wait(60)
            refusals.append(time.monotonic() - began)
    assert sorted(refusals)[1] < sorted(starts)[1] * 1.2


def test_sigterm_with_requests_under_way(daemon: Daemon, namespace: str, busybox: str) -> None:
    """Waiting clients are told, the container runs on, the socket goes, the exit status is 0."""
    ctr = ["ctr", "--address", daemon.address, "-n", namespace]
    daemon.ctr("-n", namespace, "run", "-d", "--null-io", busybox, "web", "sleep", "1000")
    waiting = subprocess.Popen([*ctr, "task", "attach", "web"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    events = subprocess.Popen([*ctr, "events"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(0.5)
    (pid,) = [line.split()[1] for line in daemon.ctr("-n", namespace, "task", "ls").stdout.splitlines()[1:]]
    assert daemon.terminate() == 0
    for client in (waiting, events):
        client.communicate(timeout=30)
        assert client.returncode != 0
    assert not Path(daemon.address).exists()
    assert Path(f"/proc/{pid}").exists()
    daemon.start()
    assert pid in daemon.ctr("-n", namespace, "task", "ls").stdout
    verify_world(daemon.world).assert_clean()
    daemon.ctr("-n", namespace, "task", "rm", "-f", "web")
    daemon.ctr("-n", namespace, "containers", "rm", "web")
    verify_world(daemon.world).assert_clean()


def test_sigterm_while_starting(base: Path, chance: random.Random, full: bool) -> None:
    """At any moment once the handlers are there: it ends by itself, and the next start finds nothing odd."""
    with Daemon(moorage(), base) as daemon:
        length = daemon.started
        for _ in range(20 if full else 3):
            daemon.terminate()
            process = daemon.spawn()
            time.sleep(chance.uniform(0, length))
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in (0, -signal.SIGTERM), daemon.tail()
            daemon.start()
            verify_world(daemon.world).assert_clean()


def test_a_socket_that_a_dead_daemon_left(daemon: Daemon) -> None:
    daemon.kill()
    assert Path(daemon.address).is_socket()
    daemon.start()
    verify_world(daemon.world).assert_clean()


def test_a_socket_that_somebody_else_serves(base: Path) -> None:
    """It is not taken away from whoever it is."""
    daemon = Daemon(moorage(), base)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(daemon.address)
        other.listen()
        assert daemon.spawn().wait(60) == 1
        assert daemon.address in daemon.tail()
        assert Path(daemon.address).is_socket()


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64", "rename"])
def test_death_at_a_write(
    base: Path, namespace: str, archive: Path, call: str, chance: random.Random, full: bool
) -> None:
    """SIGKILL at the n-th call of a thread: in the middle of a transaction of LMDB, or before a blob gets its name."""
    daemon = Daemon(moorage(), base, namespaces=[namespace])
    try:
        for number in range(1, 41) if full else sorted(chance.sample(range(1, 20), 2)):
            _die(daemon, namespace, archive, call, number)
            daemon.program = moorage()
            daemon.start()
            verify_world(daemon.world).assert_clean()
            daemon.terminate()
    finally:
        daemon.sweep()


def _die(daemon: Daemon, namespace: str, archive: Path, call: str, number: int) -> None:
    inject = ("-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
    daemon.program = Program(("strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", *inject, *moorage().command))
    process = daemon.spawn()
    wait_until(lambda: process.poll() is not None or daemons.answers(daemon.address), 60)
    for _ in range(5):
        if process.poll() is None:
            _while_it_lives(daemon, process, "-n", namespace, "images", "import", str(archive))
            _while_it_lives(
                daemon, process, "-n", namespace, "images", "rm", "--sync", "docker.io/library/busybox:test"
            )
    print(f"{call} {number}: {'died' if process.poll() is not None else 'lived'}")
    daemon.kill()  # strace, in case it still runs; it does not take what it traces along
    daemon.sweep()


def _while_it_lives(daemon: Daemon, process: subprocess.Popen[bytes], *words: str) -> None:
    """Run ``ctr`` until it ends or the daemon does: it asks a dead daemon for a content writer for ever."""
    command = ["ctr", "--address", daemon.address, *words]
    client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: client.poll() is not None or process.poll() is not None, 60)
    finally:
        client.kill()
        client.wait()
