"""Docker's engine that leaves its images to the daemon: content, snapshots, leases and diffs as moby uses them.

Engines before 23 keep their images themselves whatever they are told.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from moorage_testkit import images, registries
from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.engines import Engine
from moorage_testkit.images import Layout

SETTINGS = {"features": {"containerd-snapshotter": True}}
NAME = "docker.io/library/busybox:latest"


@pytest.fixture(autouse=True)
def kept_by_the_daemon(docker: Engine) -> None:
    if "io.containerd.snapshotter" not in docker.docker("info", "-f", "{{json .DriverStatus}}").stdout:
        pytest.skip("needs an engine with the containerd image store")


@pytest.fixture
def daemon(docked: Any) -> Daemon:
    daemon: Daemon = docked.daemon
    return daemon


def snapshots(daemon: Daemon) -> list[str]:
    return daemon.ctr("-n", "moby", "snapshots", "ls").stdout.splitlines()[1:]


def names(daemon: Daemon) -> set[str]:
    return set(daemon.ctr("-n", "moby", "images", "ls", "-q").stdout.split())


def test_containers(docker: Engine, daemon: Daemon) -> None:
    before = snapshots(daemon)
    assert NAME in names(daemon)
    assert docker.docker("run", "--rm", "busybox", "sh", "-c", "exit 7", check=False).returncode == 7
    docker.docker("run", "-d", "--name", "web", "busybox", "sh", "-c", "echo made > /made; sleep 1000")
    wait_until(lambda: "made" in docker.docker("exec", "web", "cat", "/made", check=False).stdout)
    assert len(snapshots(daemon)) > len(before)
    assert docker.docker("ps", "-s", "--format", "{{.Size}}").stdout.strip() != ""
    docker.docker("restart", "-t", "1", "web")
    docker.docker("rm", "-f", "web")
    wait_until(lambda: len(snapshots(daemon)) == len(before))


def test_an_oci_archive_is_loaded_and_comes_out_again(docker: Engine, daemon: Daemon, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    image = images.layered(layout)
    layout.tag("docker.io/library/layered:latest", image)
    docker.docker("load", "-i", str(images.archive(layout, tmp_path / "layered.tar")))
    assert docker.docker("images", "-q", "--no-trunc", "layered").stdout.strip() == image.manifest.digest
    docker.docker("create", "--name", "web", "layered", "none")
    docker.docker("cp", "web:/etc/keep", str(tmp_path / "keep"))
    assert (tmp_path / "keep").read_bytes() == images.LAYERED["etc/keep"]
    docker.docker("rm", "web")
    docker.docker("save", "-o", str(tmp_path / "saved.tar"), "layered")
    before = len(snapshots(daemon))
    docker.docker("rmi", "layered")
    assert "docker.io/library/layered:latest" not in names(daemon)
    wait_until(lambda: len(snapshots(daemon)) < before)
    docker.docker("load", "-i", str(tmp_path / "saved.tar"))
    assert docker.docker("images", "-q", "--no-trunc", "layered").stdout.strip() == image.manifest.digest
    docker.docker("rmi", "layered")


def test_building_and_committing(docker: Engine, daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo built > /made\nCOPY file /copied\nRUN rm /etc/group\n")
    (tmp_path / "file").write_text("copied\n")
    done = docker.docker("build", "-t", "built", str(tmp_path), check=False, timeout=120)
    if "buildx" in done.stderr and done.returncode:
        pytest.skip("needs the buildx plugin")
    assert done.returncode == 0, done.stderr + docker.tail()
    script = "cat /made /copied; ls /etc; echo more > /more"
    listed = docker.docker("run", "--name", "web", "built", "sh", "-c", script).stdout.split()
    assert listed[:2] == ["built", "copied"]
    assert "group" not in listed
    docker.docker("commit", "web", "committed")
    docker.docker("rm", "web")
    assert docker.docker("run", "--rm", "committed", "cat", "/made", "/more").stdout == "built\nmore\n"
    docker.docker("rmi", "built", "committed")
    docker.docker("builder", "prune", "-af")
    assert names(daemon) & {"docker.io/library/built:latest", "docker.io/library/committed:latest"} == set()


@contextmanager
def registry(docker: Engine, base: Path) -> Iterator[str]:
    """One on the loopback of the engine's own network namespace."""
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(base / "data")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:5000", "secret": "fixed"},
    }
    (base / "config.json").write_text(json.dumps(config))
    command = docker.within("docker-registry", "serve", str(base / "config.json"))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield "127.0.0.1:5000"
        finally:
            process.kill()


@pytest.mark.skipif(not registries.available(), reason="needs docker-registry")
def test_pushing_and_pulling(docker: Engine, daemon: Daemon, tmp_path: Path) -> None:
    with registry(docker, tmp_path) as address:
        name = f"{address}/test/busybox:1"
        docker.docker("tag", "busybox", name)
        wait_until(lambda: not docker.docker("push", name, check=False).returncode, 30)
        docker.docker("rmi", name)
        assert docker.docker("run", "--rm", name, "echo", "pulled").stdout.endswith("pulled\n")
        labels = daemon.ctr("-n", "moby", "content", "ls").stdout
        assert "containerd.io/distribution.source.127.0.0.1=test/busybox" in labels  # without the port, as moby has it
        assert docker.docker("pull", name).stdout.count("up to date") == 1
        docker.docker("rmi", name)
        missing = docker.docker("pull", f"{address}/test/none:1", check=False)
        assert missing.returncode == 1
        assert "not found" in missing.stderr
