"""``docker checkpoint`` on the real criu: what a container printed goes on where it stopped."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from moorage_testkit import daemons, engines
from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.engines import Engine

RELAY = 'version = 2\n[plugins."io.containerd.runtime.v1.runc"]\nrelay = true\n'
COUNT = "n=0; while :; do n=$((n+1)); echo $n; sleep 0.05; done"


@pytest.fixture(params=["mooraged", pytest.param("containerd", marks=pytest.mark.full)])
def engine(request: pytest.FixtureRequest, rootfs: bytes) -> Iterator[Engine]:
    if not shutil.which("criu") or subprocess.run(["criu", "check"], capture_output=True, check=False).returncode:
        pytest.skip("needs a kernel and a criu that suit each other")
    if lacking := engines.missing():
        pytest.skip(lacking)
    program = daemons.moorage(RELAY) if request.param == "mooraged" else daemons.containerd()
    with daemons.directory() as base, Daemon(program, base, namespaces=engines.NAMESPACES) as daemon:
        with Engine(base / "engine", daemon.address, settings={"experimental": True}) as engine:
            engine.load(rootfs, "busybox")
            yield engine


def test_a_checkpoint_and_a_start_from_it(engine: Engine) -> None:
    docker = engine.docker
    docker("run", "-d", "--name", "web", "--network", "none", "busybox", "sh", "-c", COUNT)
    wait_until(lambda: "10" in docker("logs", "web").stdout.split())
    docker("checkpoint", "create", "web", "one")
    assert docker("ps", "-a", "--format", "{{.Status}}").stdout.startswith("Exited (137)")
    assert "one" in docker("checkpoint", "ls", "web").stdout
    before = len(docker("logs", "web").stdout.split())
    # The engine stores again what it has just removed, which fails until that is collected.
    wait_until(lambda: docker("start", "--checkpoint", "one", "web", check=False).returncode == 0)
    wait_until(lambda: len(docker("logs", "web").stdout.split()) > before + 5)
    numbers = list(map(int, docker("logs", "web").stdout.split()))
    assert numbers == list(range(1, len(numbers) + 1))
    docker("rm", "-f", "web")
