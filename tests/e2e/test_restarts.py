"""The command line while the daemon goes away and comes back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_testkit import daemons
from moorage_testkit.daemons import Daemon


@pytest.fixture(params=["mooraged", "containerd"])
def own(request: pytest.FixtureRequest, archive: Path, namespace: str) -> Iterator[Daemon]:
    """A daemon that a test may kill."""
    request.getfixturevalue(request.param)  # skips where it cannot run
    program = daemons.moorage() if request.param == "mooraged" else daemons.containerd()
    with daemons.directory() as base, Daemon(program, base, namespaces=[f"{namespace}-own"]) as daemon:
        daemon.ctr("-n", f"{namespace}-own", "images", "import", str(archive))
        yield daemon


def test_a_foreground_container_survives_with_its_output_and_exit_code(own: Daemon, namespace: str) -> None:
    words = [sys.executable, "-m", "moorage_cli", "-a", own.address, "-n", f"{namespace}-own"]
    script = "echo before; read line; echo $line; exit 9"
    command = [*words, "run", "--rm", "-i", "busybox", "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"before\n"
        own.kill()
        own.start()
        process.stdin.write(b"after\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"after\n"
        assert process.wait(60) == 9
    listed = subprocess.run([*words, "ps", "-aq"], capture_output=True, check=True, timeout=60)
    assert listed.stdout == b""
