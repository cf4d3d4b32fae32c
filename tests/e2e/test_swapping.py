"""Another snapshotter by one line of TOML: what is pulled and run afterwards lies in the other one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_testkit import daemons, images
from moorage_testkit.daemons import Daemon, moorage
from moorage_testkit.images import Layout
from moorage_testkit.worlds import verify_world

NAMESPACE = "swapping"
IMAGE = "docker.io/library/busybox:test"
OVERLAYFS, NATIVE = "io.containerd.snapshotter.v1.overlayfs", "io.containerd.snapshotter.v1.native"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not all(map(shutil.which, ("ctr", "runc", "busybox"))), reason="needs ctr, runc, busybox"),
]


@pytest.fixture
def base() -> Iterator[Path]:
    with daemons.directory() as base:
        yield base


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    layout = Layout(tmp_path / "layout")
    layout.tag(IMAGE, images.busybox(layout))
    return images.archive(layout, tmp_path / "busybox.tar")


def plugins(daemon: Daemon) -> dict[str, str]:
    lines = daemon.ctr("plugins", "ls").stdout.splitlines()[1:]
    return {".".join(line.split()[:2]): line.split()[-1] for line in lines}


def moorage_cli(daemon: Daemon, *words: str) -> str:
    """The command of this project, which asks the daemon for its default snapshotter."""
    command = [sys.executable, "-I", "-m", "moorage_cli", "--address", daemon.address, "--namespace", NAMESPACE, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def layers(daemon: Daemon, uri: str) -> list[Path]:
    return list((daemon.root / uri / "snapshots").glob("*"))


def test_one_line_names_the_snapshotter_of_who_names_none(base: Path, archive: Path) -> None:
    config = 'plugins."io.containerd.metadata.v1.lmdb".default_snapshotter = "native"\n'
    with Daemon(moorage(config), base, namespaces=[NAMESPACE]) as daemon:
        moorage_cli(daemon, "load", "--input", str(archive))
        assert moorage_cli(daemon, "run", "--rm", IMAGE, "echo", "hello") == "hello\n"
        assert layers(daemon, NATIVE)
        assert not layers(daemon, OVERLAYFS)
        verify_world(daemon.world).assert_clean()


def test_disabling_the_default_snapshotter_chooses_the_other(base: Path, archive: Path) -> None:
    config = f'disabled_plugins = ["{OVERLAYFS}"]\n'
    with Daemon(moorage(config), base, namespaces=[NAMESPACE]) as daemon:
        assert plugins(daemon)[NATIVE] == "ok"
        assert OVERLAYFS not in plugins(daemon) or plugins(daemon)[OVERLAYFS] != "ok"
        moorage_cli(daemon, "load", "--input", str(archive))
        assert moorage_cli(daemon, "run", "--rm", IMAGE, "echo", "hello") == "hello\n"
        assert layers(daemon, NATIVE)
        assert not (daemon.root / OVERLAYFS).exists()
        verify_world(daemon.world).assert_clean()


def test_back_and_forth_on_one_root(base: Path, archive: Path) -> None:
    """Layers of a snapshotter that is switched off wait for it; images unpack anew into the other."""
    with Daemon(moorage(), base, namespaces=[NAMESPACE]) as daemon:
        daemon.ctr("-n", NAMESPACE, "images", "import", str(archive))
        first = {path.name for path in layers(daemon, OVERLAYFS)}
        daemon.terminate()
        daemon.program = moorage(f'disabled_plugins = ["{OVERLAYFS}"]\n')
        daemon.start()
        run = ("-n", NAMESPACE, "run", "--rm", "--snapshotter", "native", IMAGE, "web", "echo", "native")
        assert daemon.ctr(*run).stdout == "native\n"
        assert {path.name for path in layers(daemon, OVERLAYFS)} == first
        verify_world(daemon.world).assert_clean()
        daemon.terminate()
        daemon.program = moorage()
        daemon.start()
        assert daemon.ctr("-n", NAMESPACE, "run", "--rm", IMAGE, "web", "echo", "overlay").stdout == "overlay\n"
        verify_world(daemon.world).assert_clean()
