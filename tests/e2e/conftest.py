"""Whole daemons for tests that drive them from outside: ours and containerd, each started once, each with busybox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from moorage_testkit import daemons, engines, images
from moorage_testkit.daemons import Daemon
from moorage_testkit.engines import Engine
from moorage_testkit.images import Layout
from moorage_testkit.worlds import verify_world

BUSYBOX = "docker.io/library/busybox:latest"
NAMESPACE = f"e2e-{os.getpid()}"
"""Of this run alone: daemons share runc's state directory and the cgroup tree, which go by namespace and id."""

NEEDED = ("containerd", "ctr", "runc", "busybox")


@dataclass(frozen=True)
class Pair:
    """Both daemons: what one answers, the other must answer too."""

    ours: Daemon
    theirs: Daemon


@pytest.fixture(scope="session")
def namespace() -> str:
    """Where the images are, besides ``default``."""
    return NAMESPACE


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Busybox as an archive that names it ``BUSYBOX``."""
    layout = Layout(tmp_path_factory.mktemp("image") / "layout")
    layout.tag(BUSYBOX, images.busybox(layout))
    return images.archive(layout, layout.path.with_suffix(".tar"))


def _started(program: daemons.Program, archive: Path) -> Iterator[Daemon]:
    missing = [name for name in NEEDED if not shutil.which(name)]
    if os.geteuid() or missing:
        pytest.skip(f"needs root and {', '.join(NEEDED)}")
    with daemons.directory() as base, Daemon(program, base, namespaces=["default", NAMESPACE]) as daemon:
        for namespace in ("default", NAMESPACE):
            daemon.ctr("-n", namespace, "images", "import", str(archive))
        yield daemon


@pytest.fixture(scope="session")
def mooraged(archive: Path) -> Iterator[Daemon]:
    yield from _started(daemons.moorage(), archive)


@pytest.fixture(scope="session")
def containerd(archive: Path) -> Iterator[Daemon]:
    yield from _started(daemons.containerd(), archive)


@pytest.fixture(scope="session")
def pair(mooraged: Daemon, containerd: Daemon) -> Pair:
    return Pair(mooraged, containerd)


@pytest.fixture(params=["mooraged", "containerd"])
def server(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """Each daemon in turn; containers that a test leaves are removed."""
    daemon: Daemon = request.getfixturevalue(request.param)
    yield daemon
    left = cli(daemon, "ps", "-aq").stdout.decode().split()
    if left:
        cli(daemon, "rm", "-f", *left)


def words(daemon: Daemon, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "moorage_cli", "-a", daemon.address, "-n", NAMESPACE, *arguments]


def cli(daemon: Daemon, *arguments: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words(daemon, *arguments), capture_output=True, timeout=120, check=False, **more)


@pytest.fixture
def moorage(server: Daemon) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run a verb of the command line against the daemon of the test."""
    return lambda *arguments, **more: cli(server, *arguments, **more)


@pytest.fixture
def command(server: Daemon) -> Callable[..., list[str]]:
    """The words of a verb against the daemon of the test, for tests that start it themselves."""
    return lambda *arguments: words(server, *arguments)


@dataclass(frozen=True)
class Docked:
    """Docker's engine, and the daemon that it runs its containers with."""

    engine: Engine
    daemon: Daemon


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Busybox as the tar of a root file system, for engines that take no OCI layouts."""
    layout = Layout(tmp_path_factory.mktemp("rootfs") / "layout")
    return layout.read(images.busybox(layout).layers[0])


@pytest.fixture(scope="module", params=["mooraged", pytest.param("containerd", marks=pytest.mark.full)])
def docked(request: pytest.FixtureRequest, rootfs: bytes) -> Iterator[Docked]:
    """An engine on ours and, at the scale of a release, on containerd. ``SETTINGS`` of the module go into its file."""
    if lacking := engines.missing():
        pytest.skip(lacking)
    if request.param == "containerd" and not shutil.which("containerd"):
        pytest.skip("needs containerd")
    program = daemons.moorage() if request.param == "mooraged" else daemons.containerd()
    settings = getattr(request.module, "SETTINGS", {})
    with daemons.directory() as base, Daemon(program, base, namespaces=engines.NAMESPACES) as daemon:
        with Engine(base / "engine", daemon.address, settings=settings) as engine:
            engine.load(rootfs, "busybox")
            yield Docked(engine, daemon)
        if request.param == "mooraged":
            verify_world(daemon.world).assert_clean()


@pytest.fixture
def docker(docked: Docked) -> Iterator[Engine]:
    """The engine alone; what a test leaves in it is removed."""
    yield docked.engine
    docked.engine.clear()
