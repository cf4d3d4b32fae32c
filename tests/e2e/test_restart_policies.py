"""Restart policies by label: the same scene on our daemon and on containerd, driven by ``ctr``."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage_testkit import daemons, images
from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.images import Layout
from moorage_testkit.worlds import verify_world

BUSYBOX = "docker.io/library/busybox:latest"
LABEL = "containerd.io/restart."
CONFIG = """\
version = 2
[plugins."io.containerd.internal.v1.restart"]
interval = "1s"
"""
"""Of containerd 1; later versions, and we, know that the table has another name now."""


PATIENCE = 2.0
"""Seconds; some intervals."""


class Host:
    """A daemon with an image, and what ``ctr`` says of its containers."""

    def __init__(self, daemon: Daemon, namespace: str) -> None:
        self.daemon = daemon
        self.namespace = namespace
        self.knows_policies = "on-failure" in self.ctr("plugins", "ls", "-d", "id==restart")
        """Not before containerd 1.7; all containers are restarted there, the paused, too, and nothing is counted."""

    def ctr(self, *words: str, check: bool = True) -> str:
        return self.daemon.ctr("-n", self.namespace, *words, check=check).stdout

    def run(self, id: str, script: str, *flags: str, **labels: str) -> None:
        """A container that runs in the background, with restart labels."""
        told = [word for key, value in labels.items() for word in ("--label", f"{LABEL}{key}={value}")]
        self.ctr("run", "-d", "--null-io", *flags, *told, BUSYBOX, id, "sh", "-c", script)

    def label(self, id: str, **labels: str) -> None:
        self.ctr("containers", "label", id, *(f"{LABEL}{key}={value}" for key, value in labels.items()))

    def labels(self, id: str) -> dict[str, str]:
        info: dict[str, Any] = json.loads(self.ctr("containers", "info", id))
        return dict(info["Labels"])

    def count(self, id: str) -> int:
        return int(self.labels(id).get(f"{LABEL}count", "0"))

    def moorage(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A verb of our command line."""
        command = [sys.executable, "-m", "moorage_cli", "-a", self.daemon.address, "-n", self.namespace, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def tasks(self) -> dict[str, tuple[int, str]]:
        """Pid and state of each."""
        lines = [line.split() for line in self.ctr("tasks", "ls").splitlines()[1:]]
        return {id: (int(pid), state) for id, pid, state in lines}

    def state(self, id: str) -> str:
        return self.tasks().get(id, (0, "GONE"))[1]

    def kill(self, id: str) -> int:
        """End a container's init as from outside; its pid."""
        pid = self.tasks()[id][0]
        os.kill(pid, signal.SIGKILL)
        return pid

    def clear(self) -> None:
        """Remove all containers, with what they run."""
        for id in self.ctr("containers", "ls", "-q").split():
            self.label(id, status="")  # an empty label is none
            self.ctr("tasks", "rm", "-f", id, check=False)
            self.ctr("containers", "rm", id)


@pytest.fixture(scope="module", params=["mooraged", pytest.param("containerd", marks=pytest.mark.full)])
def host(request: pytest.FixtureRequest, archive: Path) -> Iterator[Host]:
    missing = [name for name in ("containerd", "ctr", "runc", "busybox") if not shutil.which(name)]
    if os.geteuid() or missing:
        pytest.skip("needs root, containerd, ctr, runc and busybox")
    ours = request.param == "mooraged"
    program = daemons.moorage(CONFIG) if ours else daemons.containerd()
    if not ours:
        unwanted = program.config.removeprefix("version = 2\n")
        program = program.with_config(unwanted + CONFIG)
    namespace = f"policies-{os.getpid()}"
    with daemons.directory() as base, Daemon(program, base, namespaces=[namespace]) as daemon:
        host = Host(daemon, namespace)
        host.ctr("images", "import", str(archive))
        yield host
        host.clear()
        if ours:
            verify_world(daemon.world).assert_clean()


def test_what_labels_ask_for(host: Host, tmp_path: Path) -> None:
    log = tmp_path / "log"
    host.run("always", "sleep 100", status="running")
    host.run("unwanted", "sleep 100", status="stopped")
    host.run("paused", "sleep 100", status="running")
    host.run("logs", "echo again; sleep 100", status="running", loguri=f"file://{log}")
    host.run("plain", "exit 1")
    host.ctr("tasks", "pause", "paused")
    before = {id: host.kill(id) for id in ("always", "logs")}
    wait_until(lambda: host.state("always") == host.state("logs") == "RUNNING" and host.state("unwanted") == "GONE", 30)
    time.sleep(PATIENCE)  # longer than the interval: what is not to happen has not happened by then either
    after = host.tasks()
    states = {id: state for id, (_, state) in after.items()}
    paused = "PAUSED" if host.knows_policies else "RUNNING"
    assert states == {"always": "RUNNING", "logs": "RUNNING", "paused": paused, "plain": "STOPPED"}
    assert all(after[id][0] != before[id] for id in before)
    assert log.read_text() == "again\n"
    host.ctr("tasks", "resume", "paused", check=False)
    host.clear()


def test_policies(host: Host) -> None:
    if not host.knows_policies:
        pytest.skip("containerd before 1.7 has no policies")
    host.run("fails", "exit 3", status="running", policy="on-failure:2")
    host.run("ends", "exit 0", status="running", policy="on-failure")
    host.run("stays", "sleep 100", status="running", policy="unless-stopped")
    host.run("left", "sleep 100", status="running", policy="unless-stopped", **{"explicitly-stopped": "true"})
    host.run("never", "exit 1", status="running", policy="no")
    host.run("wrong", "exit 1", status="running", policy="always:3")
    host.run("always", "sleep 100", status="running", policy="always", **{"explicitly-stopped": "true"})
    for id in ("stays", "left", "always"):
        host.kill(id)
    wait_until(lambda: host.state("always") == host.state("stays") == "RUNNING" and host.count("fails") == 2, 30)
    time.sleep(PATIENCE)
    assert {id: (state, host.count(id)) for id, (_, state) in host.tasks().items()} == {
        "always": ("RUNNING", 1),
        "ends": ("STOPPED", 0),
        "fails": ("STOPPED", 2),
        "left": ("STOPPED", 0),
        "never": ("STOPPED", 0),
        "stays": ("RUNNING", 1),
        "wrong": ("STOPPED", 0),
    }
    host.clear()


@pytest.mark.full
def test_a_task_that_is_deleted_or_never_was_is_made(host: Host) -> None:
    host.run("c", "sleep 100", status="running")
    host.ctr("tasks", "rm", "-f", "c")
    host.ctr("containers", "create", "--label", f"{LABEL}status=running", BUSYBOX, "d", "sleep", "100")
    wait_until(lambda: host.state("c") == host.state("d") == "RUNNING", 30)
    host.label("c", status="stopped")
    wait_until(lambda: host.state("c") == "GONE", 30)
    assert host.state("d") == "RUNNING"
    host.clear()


def test_a_daemon_that_was_killed_remembers_what_should_run(host: Host) -> None:
    host.run("lives", "sleep 100", status="running")
    host.run("dies", "sleep 100", status="running")
    lives, dies = host.tasks()["lives"], host.tasks()["dies"][0]
    host.daemon.kill()
    os.kill(dies, signal.SIGKILL)
    host.daemon.start()
    wait_until(lambda: host.state("dies") == "RUNNING" and host.tasks()["dies"][0] != dies, 30)
    assert host.tasks()["lives"] == lives
    assert (host.count("lives"), host.count("dies")) == (0, int(host.knows_policies)), host.daemon.tail()
    host.clear()


def test_the_command_line(host: Host) -> None:
    """On containerd, too: a client sets labels, and the daemon looks at them."""
    policy = "unless-stopped" if host.knows_policies else "always"
    words = ("run", "-d", "--name", "c", "--restart", policy, BUSYBOX, "sh", "-c", "echo up; sleep 100")
    assert host.moorage(*words).returncode == 0
    pid = host.kill("c")
    wait_until(lambda: host.state("c") == "RUNNING" and host.tasks()["c"][0] != pid, 30)
    wait_until(lambda: host.moorage("logs", "c").stdout == "up\nup\n", 30)
    assert host.moorage("stop", "-t", "0", "c").returncode == 0
    time.sleep(PATIENCE)
    assert host.state("c") == "STOPPED"
    assert host.moorage("start", "c").returncode == 0
    wait_until(lambda: host.state("c") == "RUNNING", 30)
    assert host.moorage("rm", "-f", "c").returncode == 0
    assert host.state("c") == "GONE"


def test_an_image_cannot_ask_for_it(host: Host, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    plain = images.busybox(layout)
    asked = {f"{LABEL}status": "running", f"{LABEL}policy": "always", f"{LABEL}loguri": f"file://{tmp_path}/evil"}
    config = {"Cmd": ["true"], "Labels": {**asked, "harmless": "yes"}}
    layers = [gzip.decompress(layout.read(layer)) for layer in plain.layers]
    layout.tag("evil", layout.image(layers, config=config))
    archive = images.archive(layout, tmp_path / "evil.tar")
    assert host.moorage("load", "-i", str(archive), "--name", "evil").returncode == 0
    assert host.moorage("run", "-d", "--name", "c", "evil").returncode == 0
    assert {key for key in host.labels("c") if key.startswith(LABEL)} == set()
    assert host.labels("c")["harmless"] == "yes"
    assert host.moorage("wait", "c").stdout == "0\n"
    time.sleep(PATIENCE)
    assert host.state("c") == "STOPPED"
    host.clear()
