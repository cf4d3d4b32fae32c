"""The harness: what it starts it also ends, with everything that hangs on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from moorage_sdk.mounts import Mount
from moorage_sys import loops, mountinfo, mounts
from moorage_testkit import daemons, traces
from moorage_testkit.daemons import Daemon, Program

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a daemon")

needs_containerd = pytest.mark.skipif(not shutil.which("containerd"), reason="needs containerd")


@pytest.fixture
def base() -> Iterator[Path]:
    with daemons.directory() as base:
        yield base


@pytest.mark.parametrize("program", [daemons.moorage(), pytest.param(daemons.containerd(), marks=needs_containerd)])
def test_start_kill_and_stop(base: Path, program: Program) -> None:
    with Daemon(program, base) as daemon:
        first = daemon.pid
        assert daemons.answers(daemon.address)
        assert "Server" in daemon.ctr("version").stdout
        daemon.kill()
        assert not daemons.answers(daemon.address)
        assert daemon.start().pid != first
        assert daemon.terminate() == 0
    assert not daemons.answers(daemon.address)


def test_another_containerd_brings_its_ctr(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, script in (("containerd", "exit 3"), ("ctr", "echo mine")):
        (base / name).write_text(f"#!/bin/sh\n{script}\n")
        (base / name).chmod(0o755)
    assert daemons.containerd().command == ("containerd",) or os.environ.get("MOORAGE_CONTAINERD")
    monkeypatch.setenv("MOORAGE_CONTAINERD", str(base / "containerd"))
    daemon = Daemon(daemons.containerd(), base)
    assert daemon.spawn().wait(10) == 3
    assert daemon.ctr("version").stdout == "mine\n"
    daemon.sweep()


def test_a_daemon_that_ends_at_once_is_told_with_its_log(base: Path) -> None:
    broken = Program((sys.executable, "-c", "import sys; sys.exit('no such luck')"))
    with pytest.raises(AssertionError, match=r"(?s)ended with 1:.*no such luck"), Daemon(broken, base):
        raise RuntimeError("not reached")


def test_ctr_failing_is_an_error_unless_allowed(base: Path) -> None:
    with Daemon(daemons.moorage(), base) as daemon:
        with pytest.raises(AssertionError, match="images check --no-such-flag: "):
            daemon.ctr("images", "check", "--no-such-flag")
        assert daemon.ctr("images", "check", "--no-such-flag", check=False).returncode != 0


def test_ctr_without_an_answer_is_an_error_with_the_stacks(base: Path) -> None:
    with Daemon(daemons.moorage().with_env(TMPDIR=str(base)), base) as daemon:
        with pytest.raises(AssertionError, match=r"(?s)events: no answer in 1 s.*stacks of all threads"):
            daemon.ctr("events", timeout=1)


def test_the_sweep_takes_processes_and_mounts(base: Path) -> None:
    daemon = Daemon(daemons.moorage(), base)
    (daemon.state / "left").mkdir(parents=True)
    mounts.mount(Mount("tmpfs", "tmpfs"), daemon.state / "left")
    left = subprocess.Popen(["sh", "-c", "sleep 60", str(daemon.state)])
    daemon.sweep()
    assert left.wait(5) == -9
    assert mountinfo.beneath(str(base)) == []


@pytest.mark.skipif(not Path("/dev/loop-control").exists(), reason="no loop devices here")
def test_the_sweep_takes_loop_devices(base: Path) -> None:
    daemon = Daemon(daemons.moorage(), base)
    daemon.root.mkdir()
    (daemon.root / "disk").write_bytes(bytes(1 << 20))
    device, fd = loops.attach(daemon.root / "disk", autoclear=False)
    os.close(fd)
    daemon.sweep()
    assert not Path("/sys/block", Path(device).name, "loop/backing_file").exists()


def test_the_sweep_takes_what_a_namespace_left_on_the_host(base: Path) -> None:
    namespace = f"daemons-{os.getpid()}"
    left = list(traces.shared([namespace]))
    for folder in left:
        folder.mkdir(parents=True)
    Daemon(daemons.moorage(), base, namespaces=[namespace]).sweep()
    assert [folder for folder in left if folder.exists()] == []


def test_the_sweep_takes_only_what_is_its_own(base: Path) -> None:
    namespace = f"daemons-{os.getpid()}"
    daemon = Daemon(daemons.moorage(), base, namespaces=[namespace])
    states = {name: traces.RUNC_ROOT / namespace / name for name in ("bundle", "hidden", "state", "other", "new")}
    cgroups = [each / name for each in cgroup_parents(namespace) for name in states]
    bundles = daemon.state / "io.containerd.runtime.v2.task" / namespace
    for folder in (*states.values(), *cgroups, bundles / "bundle", bundles / ".hidden"):
        folder.mkdir(parents=True)
    for name, bundle in (("state", bundles / "state"), ("other", f"{daemon.state}-2/x")):
        config = {"config": {"labels": [f"bundle={bundle}"]}}
        (states[name] / "state.json").write_text(json.dumps(config))
    try:
        daemon.sweep()
        assert {name for name, folder in states.items() if folder.exists()} == {"other", "new"}
        assert {folder.name for folder in cgroups if folder.exists()} == {"other", "new"}
    finally:
        for folder in cgroups:
            with suppress(FileNotFoundError):
                folder.rmdir()
        shutil.rmtree(traces.RUNC_ROOT / namespace)
        daemon.sweep()


def test_the_sweep_spares_who_has_copies_of_its_mounts(base: Path) -> None:
    """A worker of another daemon, in a mount namespace of its own, was killed by the end of a test beside it."""
    daemon = Daemon(daemons.moorage(), base)
    (daemon.root / "point").mkdir(parents=True)
    mounts.mount(Mount("tmpfs", "tmpfs"), daemon.root / "point")
    ready = base / "ready"
    bystander = subprocess.Popen(["unshare", "--mount", "sh", "-c", f"touch {ready}; exec sleep 60"])
    try:
        daemons.wait_until(ready.exists)
        daemon.sweep()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def cgroup_parents(namespace: str) -> list[Path]:
    return [folder for folder in traces.shared([namespace]) if folder.is_relative_to("/sys/fs/cgroup")]


def test_the_directory_goes_with_its_mounts() -> None:
    with daemons.directory() as base:
        assert len(str(base)) < 60
        (base / "point").mkdir()
        mounts.mount(Mount("tmpfs", "tmpfs"), base / "point")
    assert not base.exists()


def test_waiting_ends(base: Path) -> None:
    daemons.wait_until(base.exists, 1)
    with pytest.raises(AssertionError, match="not met in 0 s"):
        daemons.wait_until((base / "never").exists, 0)
