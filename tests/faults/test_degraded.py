"""What a kernel or a host lacks: everything else goes on, and the log says once what does not.

Exits that no pidfd tells of are in ``test_monitors``, cgroup v2 alone in ``tests/wire/test_lives.py``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_testkit import daemons, kernels
from moorage_testkit.daemons import Daemon
from moorage_testkit.worlds import verify_world

BUSYBOX = "docker.io/library/busybox:test"
REMAPPED = ("--uidmap", "0:100000:65536", "--gidmap", "0:200000:65536")


@pytest.fixture
def namespace() -> str:
    return f"degraded-{os.getpid()}"


def life(daemon: Daemon, namespace: str, *flags: str) -> None:
    """A container from its creation to its end; what it is told of ids."""
    ctr = daemon.ctr
    script = "cat /proc/self/uid_map; ls -ln /bin/busybox; exit 7"
    done = ctr("-n", namespace, "run", "--rm", *flags, BUSYBOX, "c", "sh", "-c", script, check=False)
    assert done.returncode == 7, done.stderr
    base = "100000" if flags else "0"
    map, file = (line.split() for line in done.stdout.splitlines())
    assert map[:2] == ["0", base] and file[2:4] == ["0", "0"]


def test_overlay_that_maps_no_ids(base: Path, namespace: str, archive: Path) -> None:
    with Daemon(kernels.old(daemons.moorage()), base, namespaces=[namespace]) as daemon:
        daemon.ctr("-n", namespace, "images", "import", str(archive))
        told = daemon.ctr("plugins", "ls", "--detailed").stdout.split("\n\n")
        overlay = next(each for each in told if "io.containerd.snapshotter.v1" in each and "overlayfs" in each)
        assert "only-remap-ids" in overlay and "\n   remap-ids" not in overlay.replace("  ", " ")
        life(daemon, namespace)
        life(daemon, namespace, *REMAPPED)  # in a layer whose files were given away
        # Who relies on labels has a root file system of his own, in which nobody owns what was there before.
        look = ("stat", "-c", "%u", "/", "/bin/busybox")
        labelled = ("run", "--rm", "--remap-labels", *REMAPPED, BUSYBOX, "l", *look)
        assert daemon.ctr("-n", namespace, *labelled).stdout.split() == ["0", "65534"]
        assert daemon.log.read_text().count("takes no id-mapped directories") == 1
        verify_world(daemon.world).assert_clean()


@pytest.fixture
def bare(base: Path) -> Iterator[str]:
    """A search path with everything but criu."""
    folder = base / "bin"
    folder.mkdir()
    for place in os.environ["PATH"].split(":"):
        for each in Path(place).iterdir() if Path(place).is_dir() else ():
            if each.name != "criu" and not (folder / each.name).is_symlink():
                (folder / each.name).symlink_to(each)
    yield str(folder)
    shutil.rmtree(folder)


def test_a_host_without_criu(base: Path, namespace: str, archive: Path, bare: str) -> None:
    with Daemon(daemons.moorage().with_env(PATH=bare), base, namespaces=[namespace]) as daemon:
        daemon.ctr("-n", namespace, "images", "import", str(archive))
        daemon.ctr("-n", namespace, "run", "-d", BUSYBOX, "c", "sleep", "60")
        for _ in range(2):
            done = daemon.ctr("-n", namespace, "tasks", "checkpoint", "c", check=False)
            assert done.returncode == 1 and "criu is not installed" in done.stderr
        assert "RUNNING" in daemon.ctr("-n", namespace, "tasks", "ls").stdout
        log = daemon.state / "io.containerd.runtime.v1.runc" / "monitor.log"
        assert log.read_text().count("criu is not installed") == 1
        daemon.ctr("-n", namespace, "tasks", "kill", "-s", "KILL", "c")
        daemons.wait_until(lambda: "STOPPED" in daemon.ctr("-n", namespace, "tasks", "ls").stdout)
        daemon.ctr("-n", namespace, "tasks", "rm", "c")
        daemon.ctr("-n", namespace, "containers", "rm", "c")
        verify_world(daemon.world).assert_clean()
