"""The command line against a real containerd, in this process: importing anew for every verb would take for ever."""

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

from moorage_cli import logs, main
from moorage_client import fifos
from moorage_testkit import daemons, images
from moorage_testkit.daemons import Daemon

NAMESPACE = f"cli-{os.getpid()}"
"""Of this run alone: daemons share runc's state directory and the cgroup tree, which go by namespace and id."""


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Cli = Callable[..., Result]


@pytest.fixture(scope="session")
def namespace() -> str:
    return NAMESPACE


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A busybox image without a name."""
    layout = images.Layout(tmp_path_factory.mktemp("image") / "layout")
    layout.tag("latest", images.busybox(layout))
    return images.archive(layout, layout.path.with_suffix(".tar"))


@pytest.fixture(scope="session")
def daemon(archive: Path) -> Iterator[Daemon]:
    """A containerd with the image ``busybox``."""
    if os.geteuid() != 0 or not shutil.which("containerd"):
        pytest.skip("needs root and containerd")
    with daemons.directory() as base, Daemon(daemons.containerd(), base, namespaces=[NAMESPACE]) as started:
        assert (
            main.invoke(["-a", started.address, "-n", NAMESPACE, "load", "-i", str(archive), "--name", "busybox"]) == 0
        )
        yield started


@pytest.fixture
def cli(
    daemon: Daemon, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Cli]:
    """Run a verb, with logs and FIFOs in a place of the test; containers that it leaves are removed afterwards."""
    monkeypatch.setattr(logs, "FOLDER", tmp_path / "logs")
    monkeypatch.setattr(fifos, "DEFAULT_FOLDER", tmp_path / "fifos")

    def invoke(*arguments: str) -> Result:
        capfd.readouterr()
        code = main.invoke(["-a", daemon.address, "-n", NAMESPACE, *arguments])
        return Result(code, *capfd.readouterr())

    yield invoke
    left = invoke("ps", "-aq").out.split()
    assert not left or invoke("rm", "-f", *left).code == 0


@pytest.fixture
def command(daemon: Daemon) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run a verb as a process of its own, with what it shall read from standard input."""

    def run(*arguments: str, input: bytes = b"", **more: Any) -> subprocess.CompletedProcess[bytes]:
        words = [sys.executable, "-m", "moorage_cli", "-a", daemon.address, "-n", NAMESPACE, *arguments]
        return subprocess.run(words, input=input, capture_output=True, timeout=60, check=False, **more)

    return run
