"""SIGKILL of the daemon at random moments: what was acknowledged is there afterwards, and nothing else is left.

Each round kills, starts again and compares the world. A container that counts runs through all of them.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.registries import Registry
from moorage_testkit.worlds import verify_world

COUNT = "i=0; while :; do i=$((i+1)); echo $i > /count; usleep 20000; done"
SURVIVOR = "survivor"

Command = Callable[[int], list[str]]


class Survivor:
    """A container that counts, and must never stop to."""

    def __init__(self, daemon: Daemon, namespace: str, image: str) -> None:
        self._daemon, self._namespace = daemon, namespace
        daemon.ctr("-n", namespace, "run", "-d", "--null-io", image, SURVIVOR, "sh", "-c", COUNT)
        self.pid = self._listed()

    def check(self) -> None:
        """Same process, and it still counts."""
        assert self._listed() == self.pid
        before = self._count()
        wait_until(lambda: self._count() > before)

    def _listed(self) -> int:
        lines = self._daemon.ctr("-n", self._namespace, "task", "ls").stdout.splitlines()[1:]
        (pid, status) = next(line.split()[1:3] for line in lines if line.startswith(SURVIVOR))
        assert status == "RUNNING"
        return int(pid)

    def _count(self) -> int:
        text = Path(f"/proc/{self.pid}/root/count").read_text("ascii")
        return int(text or 0)  # the shell truncates before it writes


@pytest.fixture
def survivor(daemon: Daemon, namespace: str, busybox: str) -> Iterator[Survivor]:
    yield Survivor(daemon, namespace, busybox)
    daemon.ctr("-n", namespace, "task", "rm", "-f", SURVIVOR)
    daemon.ctr("-n", namespace, "containers", "rm", SURVIVOR)
    verify_world(daemon.world).assert_clean()


class Rounds:
    """``command`` is run, and the daemon killed while it does; ``length`` is how long it takes undisturbed."""

    def __init__(self, daemon: Daemon, namespace: str, chance: random.Random, length: float) -> None:
        self.daemon, self.namespace, self.chance, self.length = daemon, namespace, chance, length

    def interrupt(self, *words: str) -> bool:
        """Whether the command had succeeded, and so was acknowledged, before the daemon died."""
        command = ["ctr", "--address", self.daemon.address, "-n", self.namespace, *words]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
            moment = self.chance.uniform(0, self.length * 1.1)
            time.sleep(moment)
            acknowledged = client.poll() == 0
            self.daemon.kill()
            print(f"killed after {moment:.3f} s of {words[0]}, acknowledged: {acknowledged}")
            # ctr mounts the root file system for a moment itself, so it must be let go on to its end.
            with suppress(subprocess.TimeoutExpired):
                client.wait(20)
            client.kill()
        self.daemon.start()
        return acknowledged


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def images(daemon: Daemon, namespace: str) -> set[str]:
    return set(daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.split())


def containers(daemon: Daemon, namespace: str) -> set[str]:
    return set(daemon.ctr("-n", namespace, "containers", "ls", "-q").stdout.split())


def tasks(daemon: Daemon, namespace: str) -> set[str]:
    return set(daemon.ctr("-n", namespace, "task", "ls", "-q").stdout.split())


def remove(daemon: Daemon, namespace: str, id: str) -> None:
    """What of a container is there, however much of it that is."""
    if id in tasks(daemon, namespace):
        daemon.ctr("-n", namespace, "task", "rm", "-f", id)
    if id in containers(daemon, namespace):
        daemon.ctr("-n", namespace, "containers", "rm", id)
    daemon.ctr(
        "-n", namespace, "snapshot", "rm", id, check=False
    )  # ctr makes it before the container, and by that name


@pytest.mark.timeout(3600)
def test_during_a_pull(
    daemon: Daemon,
    namespace: str,
    busybox: str,
    survivor: Survivor,
    registry: Registry,
    chance: random.Random,
    full: bool,
) -> None:
    name = f"{registry.address}/layered:latest"
    pull = ("images", "pull", "--plain-http", name)
    length = timed(lambda: daemon.ctr("-n", namespace, *pull))
    rounds = Rounds(daemon, namespace, chance, length)
    for _ in range(50 if full else 4):
        daemon.ctr("-n", namespace, "images", "rm", "--sync", name, check=False)
        if rounds.interrupt(*pull):
            assert name in images(daemon, namespace)
        assert busybox in images(daemon, namespace)
        survivor.check()
        verify_world(daemon.world).assert_clean()
    daemon.ctr("-n", namespace, *pull)
    assert "incomplete" not in daemon.ctr("-n", namespace, "images", "check").stdout
    verify_world(daemon.world).assert_clean()


@pytest.mark.timeout(3600)
def test_during_a_run(
    daemon: Daemon, namespace: str, busybox: str, survivor: Survivor, chance: random.Random, full: bool
) -> None:
    length = timed(lambda: daemon.ctr("-n", namespace, "run", "--rm", "--null-io", busybox, "measure", "true"))
    rounds = Rounds(daemon, namespace, chance, length)
    for number in range(50 if full else 5):
        id = f"run-{number}"
        rounds.interrupt("run", "-d", "--null-io", busybox, id, "sleep", "1000")
        survivor.check()
        verify_world(daemon.world).assert_clean()
        remove(daemon, namespace, id)
        verify_world(daemon.world).assert_clean()


@pytest.mark.timeout(3600)
def test_during_a_delete(
    daemon: Daemon, namespace: str, busybox: str, survivor: Survivor, chance: random.Random, full: bool
) -> None:
    def prepare(id: str) -> None:
        daemon.ctr("-n", namespace, "run", "-d", "--null-io", busybox, id, "sleep", "1000")

    prepare("measure")
    rounds = Rounds(
        daemon, namespace, chance, timed(lambda: daemon.ctr("-n", namespace, "task", "rm", "-f", "measure"))
    )
    remove(daemon, namespace, "measure")
    for number in range(50 if full else 4):
        id = f"delete-{number}"
        prepare(id)
        if rounds.interrupt("task", "rm", "-f", id):
            assert id not in tasks(daemon, namespace)
        assert id in containers(daemon, namespace)
        survivor.check()
        verify_world(daemon.world).assert_clean()
        remove(daemon, namespace, id)
        verify_world(daemon.world).assert_clean()


@pytest.mark.timeout(3600)
def test_during_the_removal_of_an_image(
    daemon: Daemon, namespace: str, busybox: str, registry: Registry, chance: random.Random, full: bool
) -> None:
    """With a collection under way; what it had not finished is finished by the next one."""
    name = f"{registry.address}/layered:latest"
    daemon.ctr("-n", namespace, "images", "pull", "--plain-http", name)
    length = timed(lambda: daemon.ctr("-n", namespace, "images", "rm", "--sync", name))
    rounds = Rounds(daemon, namespace, chance, length)
    for _ in range(50 if full else 3):
        daemon.ctr("-n", namespace, "images", "pull", "--plain-http", name)
        if rounds.interrupt("images", "rm", "--sync", name):
            assert name not in images(daemon, namespace)
        assert busybox in images(daemon, namespace)
        verify_world(daemon.world).assert_clean()
    assert daemon.ctr("-n", namespace, "run", "--rm", busybox, "after", "echo", "alive").stdout == "alive\n"
