"""Runtimes that are missing, fail, or belong to somebody else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from moorage_testkit.daemons import Daemon, moorage
from moorage_testkit.worlds import verify_world

GO_SHIM = "containerd-shim-runc-v2"


def path_without(folder: Path, *names: str) -> str:
    """A search path with everything but ``names``."""
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(":")):
        for file in Path(place).glob("*"):
            link = folder / file.name
            if file.name not in names and not link.is_symlink():
                link.symlink_to(file)
    return str(folder)


def test_without_runc_a_run_fails_and_names_it(base: Path, namespace: str, archive: Path) -> None:
    program = moorage().with_env(PATH=path_without(base / "bin", "runc", "crun"))
    with Daemon(program, base, namespaces=[namespace]) as daemon:
        daemon.ctr("-n", namespace, "images", "import", str(archive))
        (busybox,) = daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.split()
        failed = daemon.ctr("-n", namespace, "run", "--rm", busybox, "web", "true", check=False)
        assert failed.returncode != 0
        assert '"runc"' in failed.stderr and "no such file or directory" in failed.stderr.lower(), failed.stderr
        assert busybox in daemon.ctr("-n", namespace, "images", "ls", "-q").stdout
        verify_world(daemon.world).assert_clean()


@pytest.mark.parametrize(
    "words, said",
    [
        (("no-such-command",), "no-such-command"),
        (("/etc/passwd",), "permission denied"),
        (("/no/such/file",), "no such file or directory"),
    ],
)
def test_what_cannot_be_executed(daemon: Daemon, namespace: str, busybox: str, words: list[str], said: str) -> None:
    """The runtime's own words reach the client, and nothing of the attempt is left."""
    failed = daemon.ctr("-n", namespace, "run", "--rm", busybox, "web", *words, check=False)
    assert failed.returncode != 0
    assert said in failed.stderr
    assert daemon.ctr("-n", namespace, "task", "ls", "-q").stdout == ""
    verify_world(daemon.world).assert_clean()


def test_an_unknown_runtime(daemon: Daemon, namespace: str, busybox: str) -> None:
    failed = daemon.ctr(
        "-n", namespace, "run", "--rm", "--runtime", "io.example.none.v1", busybox, "web", "true", check=False
    )
    assert failed.returncode != 0
    assert "containerd-shim-none-v1" in failed.stderr or "io.example.none.v1" in failed.stderr
    verify_world(daemon.world).assert_clean()


@pytest.mark.skipif(not shutil.which(GO_SHIM), reason=f"needs {GO_SHIM} to be installed, so that it could be taken")
def test_the_monitor_serves_runc_although_the_go_shim_is_there(daemon: Daemon, namespace: str, busybox: str) -> None:
    daemon.ctr(
        "-n", namespace, "run", "-d", "--null-io", "--runtime", "io.containerd.runc.v2", busybox, "web", "sleep", "1000"
    )
    shims = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _command(path, daemon) == GO_SHIM]
    assert shims == []
    daemon.ctr("-n", namespace, "task", "rm", "-f", "web")
    daemon.ctr("-n", namespace, "containers", "rm", "web")
    verify_world(daemon.world).assert_clean()


def _command(path: Path, daemon: Daemon) -> str:
    """The name of a program that was told of this daemon; shims of others do not count."""
    try:
        words = path.read_bytes().decode("utf-8", "replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return Path(words[0]).name if daemon.address in words else ""
