"""The whole life of containers on crun: as the node's own runtime by configuration, and as a client's choice."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage_testkit import daemons
from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.worlds import verify_world

BUSYBOX = "docker.io/library/busybox:latest"
CONFIG = 'version = 2\n[plugins."io.containerd.runtime.v1.runc"]\nbinary = "{binary}"\n'
ID = f"crun-{os.getpid()}"


@pytest.fixture(scope="module", params=["by configuration", pytest.param("by the client", marks=pytest.mark.full)])
def node(request: pytest.FixtureRequest, archive: Path) -> Iterator[tuple[Daemon, list[str]]]:
    """A daemon and the flags of ``ctr run`` that are needed for crun there."""
    if os.geteuid() or not all(map(shutil.which, ("crun", "ctr", "runc"))):
        pytest.skip("needs root, crun and ctr")
    configured = request.param == "by configuration"
    program = daemons.moorage(CONFIG.format(binary="crun" if configured else "runc"))
    namespace = f"crun-{os.getpid()}"
    with daemons.directory() as base, Daemon(daemons.without_hybrid(program), base, namespaces=[namespace]) as daemon:
        daemon.ctr("-n", namespace, "images", "import", str(archive))
        yield daemon, [] if configured else ["--runc-binary", "crun"]


def test_a_whole_life(node: tuple[Daemon, list[str]]) -> None:
    daemon, flags = node
    (namespace,) = daemon.namespaces

    def ctr(*words: str, code: int = 0) -> Any:
        done = daemon.ctr("-n", namespace, *words, check=False)
        assert done.returncode == code, (words, done.stdout, done.stderr, daemon.tail())
        return done

    assert ctr("run", "--rm", *flags, BUSYBOX, ID, "echo", "hello").stdout == "hello\n"
    ctr("run", "--rm", *flags, BUSYBOX, ID, "sh", "-c", "exit 7", code=7)
    assert "executable file" in ctr("run", "--rm", *flags, BUSYBOX, ID, "nonsense", code=1).stderr
    ctr("run", "-d", *flags, "--memory-limit", str(64 << 20), BUSYBOX, ID, "sh", "-c", "sleep 1000 & sleep 1000")
    state = Path("/run/containerd/runc", namespace, ID)
    assert (state / "status").exists() and not (state / "state.json").exists()  # what crun keeps, and runc
    for _ in range(2):  # an id is free again once its process was deleted
        ctr("tasks", "exec", "--exec-id", "e", ID, "sh", "-c", "exit 5", code=5)
    assert "executable file" in ctr("tasks", "exec", "--exec-id", "e", ID, "nonsense", code=1).stderr
    assert len(ctr("tasks", "ps", ID).stdout.splitlines()) == 3  # with a heading
    assert str(64 << 20) in ctr("tasks", "metrics", "--format", "json", ID).stdout
    ctr("tasks", "pause", ID)
    assert "PAUSED" in ctr("tasks", "ls").stdout
    ctr("tasks", "exec", "--exec-id", "p", ID, "true", code=1)
    ctr("tasks", "resume", ID)
    ctr("tasks", "pause", ID)
    ctr("tasks", "kill", "-s", "SIGKILL", ID)
    wait_until(lambda: "STOPPED" in ctr("tasks", "ls").stdout)
    ctr("tasks", "rm", ID, code=0)
    ctr("containers", "rm", ID)
    daemon.kill()
    daemon.start()
    assert ctr("run", "--rm", *flags, BUSYBOX, ID, "echo", "again").stdout == "again\n"
    verify_world(daemon.world).assert_clean()


def test_both_side_by_side(node: tuple[Daemon, list[str]]) -> None:
    daemon, _ = node
    (namespace,) = daemon.namespaces
    ids = {f"{ID}-{binary}": binary for binary in ("runc", "crun")}
    for id, binary in ids.items():
        daemon.ctr("-n", namespace, "run", "-d", "--runc-binary", binary, BUSYBOX, id, "sleep", "1000")
    for id, binary in ids.items():
        state = Path("/run/containerd/runc", namespace, id)
        assert (state / ("status" if binary == "crun" else "state.json")).exists()
        daemon.ctr("-n", namespace, "tasks", "kill", "-s", "KILL", id)
    wait_until(lambda: "RUNNING" not in daemon.ctr("-n", namespace, "tasks", "ls").stdout)
    for id in ids:
        assert daemon.ctr("-n", namespace, "tasks", "rm", id, check=False).returncode == 0
        daemon.ctr("-n", namespace, "containers", "rm", id)
    verify_world(daemon.world).assert_clean()
