"""Each kind of trace is planted, and found."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from moorage_sdk.mounts import Mount
from moorage_sys import mountinfo, mounts
from moorage_testkit import daemons, traces
from moorage_testkit.traces import Place, Trace

NAMESPACE = f"traces-{os.getpid()}"
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for mounts and cgroups")


@pytest.fixture
def place() -> Iterator[Place]:
    with daemons.directory() as base:
        for name in ("root", "state"):
            (base / name).mkdir()
        yield Place(base / "root", base / "state", frozenset({NAMESPACE}))


def look(place: Place) -> Trace:
    return traces.look(place, 0)


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def named(path: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A process with a path on its command line."""
    return running(sys.executable, "-c", "import time; time.sleep(60)", path)


def test_an_untouched_place_has_no_trace(place: Place) -> None:
    assert look(place) == Trace((), (), (), {}, {}, {}, (), {}, {}, {}, {})


@root
def test_mounts_beneath_and_of_the_directories(place: Place) -> None:
    inside, source, elsewhere = place.state / "inside", place.root / "source", place.root.parent / "elsewhere"
    for folder in (inside, source, elsewhere):
        folder.mkdir()
    mounts.mount(Mount("tmpfs", "tmpfs"), inside)
    mounts.mount(Mount("bind", str(source), ("bind",)), elsewhere)
    assert set(look(place).mounts) == {str(inside), str(elsewhere)}


@root
def test_the_directories_may_be_mounts_themselves(place: Place) -> None:
    mounts.mount(Mount("tmpfs", "tmpfs"), place.root)
    assert look(place).mounts == ()


def test_processes_that_name_a_directory(place: Place) -> None:
    longer = f"{place.root}-of-another"
    with named(str(place.root)) as ours, named(longer):
        assert [process.pid for process in look(place).processes] == [ours.pid]


@root
def test_processes_in_a_mount_namespace_that_shows_a_directory(place: Place) -> None:
    (place.state / "rootfs").mkdir()
    mounts.mount(Mount("tmpfs", "tmpfs"), place.state / "rootfs")
    with running("unshare", "-m", "sh", "-c", "echo; sleep 60 & wait") as ours:
        assert ours.stdout is not None
        ours.stdout.readline()
        found = {process.pid: process.mentions for process in look(place).processes}
        for pid in found:
            if pid != ours.pid:
                os.kill(pid, 9)
    assert found[ours.pid] == "mounts"


def test_zombies_of_a_daemon(place: Place) -> None:
    script = "import os,sys,time\npid=os.fork()\nif not pid: os._exit(0)\nprint(pid,flush=True); time.sleep(60)"
    with running(sys.executable, "-c", script) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        daemons.wait_until(lambda: [each.pid for each in traces.look(place, parent.pid).zombies] == [child])


@root
def test_cgroups_of_a_namespace(place: Place) -> None:
    hierarchy = next(entry.mount_point for entry in mountinfo.read() if entry.type in ("cgroup", "cgroup2"))
    ours, foreign = (Path(hierarchy, NAMESPACE, name) for name in ("ours", "foreign"))
    for folder in (ours.parent, ours, foreign):
        folder.mkdir()
    try:
        with running("sleep", "60") as process:
            (foreign / "cgroup.procs").write_text(str(process.pid))
            assert look(place).cgroups == {str(ours): (NAMESPACE, "ours")}
    finally:
        for folder in (ours, foreign, ours.parent):
            folder.rmdir()


@root
def test_what_was_there_before(place: Place) -> None:
    """Empty cgroups that an interrupted run had left in a namespace were held against every later daemon."""
    hierarchy = next(entry.mount_point for entry in mountinfo.read() if entry.type in ("cgroup", "cgroup2"))
    cgroups, states = Path(hierarchy, NAMESPACE), traces.RUNC_ROOT / NAMESPACE
    for folder in (cgroups, states):
        (folder / "before").mkdir(parents=True)
    try:
        later = replace(place, others=frozenset(map(str, traces.hosted([NAMESPACE]))))
        for folder in (cgroups, states):
            (folder / "leaked").mkdir()
        assert look(later).cgroups == {str(cgroups / "leaked"): (NAMESPACE, "leaked")}
        assert look(later).runtimes == {str(states / "leaked"): (NAMESPACE, "leaked")}
    finally:
        for folder in (cgroups, states):
            for child in ("before", "leaked", "."):
                (folder / child).resolve().rmdir()


def test_what_namespaces_leave_on_the_host() -> None:
    found = list(traces.shared([NAMESPACE]))
    assert traces.RUNC_ROOT / NAMESPACE in found
    assert all(path.name == NAMESPACE for path in found)
    assert len(found) == 1 + sum(entry.type in ("cgroup", "cgroup2") for entry in mountinfo.read())


@root
@pytest.mark.parametrize("label, found", [("bundle={state}/b", True), ("bundle=/run/others/b", False), (None, True)])
def test_states_of_runc(place: Place, label: str | None, found: bool) -> None:
    folder = traces.RUNC_ROOT / NAMESPACE / "web"
    folder.mkdir(parents=True)
    try:
        if label:
            (folder / "state.json").write_text(json.dumps({"config": {"labels": [label.format(state=place.state)]}}))
        assert bool(look(place).runtimes) is found
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        folder.parent.rmdir()


def test_bundles_in_both_directories_hidden_ones_too(place: Place) -> None:
    plugin = "io.containerd.runtime.v2.task"
    expected = {}
    for base, name in ((place.state, "web"), (place.state, ".gone"), (place.root, "web")):
        bundle = base / plugin / "default" / name
        bundle.mkdir(parents=True)
        expected[str(bundle)] = ("default", name)
    assert look(place).bundles == expected


def test_loose_files(place: Place) -> None:
    os.mkfifo(place.state / "fifo")
    (place.state / "link").symlink_to("nowhere")
    (place.root / "half.tmp").touch()
    (place.root / "whole").touch()
    with closing(socket.socket(socket.AF_UNIX)) as deaf, closing(socket.socket(socket.AF_UNIX)) as listening:
        deaf.bind(str(place.state / "deaf.sock"))
        listening.bind(str(place.state / "listening.sock"))
        listening.listen()
        found = {Path(path).name for path in look(place).loose}
    assert found == {"fifo", "link", "half.tmp", "deaf.sock"}


def test_what_bundles_snapshots_and_ingests_hold_is_not_loose(place: Place) -> None:
    for folder in (
        place.state / "io.containerd.runtime.v2.task" / "default" / "web",
        place.root / "io.containerd.snapshotter.v1.overlayfs" / "snapshots" / "1",
        place.content / "ingest" / "abc",
    ):
        folder.mkdir(parents=True)
        os.mkfifo(folder / "log")
    assert look(place).loose == ()


def test_layers_blobs_and_ingests(place: Place) -> None:
    (place.root / "io.containerd.snapshotter.v1.native" / "snapshots" / "7").mkdir(parents=True)
    (place.content / "blobs" / "sha256").mkdir(parents=True)
    (place.content / "blobs" / "sha256" / "00").write_bytes(b"123")
    for name in ("whole", "torn"):
        (place.content / "ingest" / name).mkdir(parents=True)
    (place.content / "ingest" / "whole" / "ref").write_text("default/1/layer")
    found = look(place)
    assert found.layers == {"native": frozenset({"7"})}
    assert found.blobs == {"sha256:00": 3}
    assert {Path(folder).name: ref for folder, ref in found.ingests.items()} == {"whole": "default/1/layer", "torn": ""}


@root
def test_loop_devices(place: Place) -> None:
    image = place.root / "disk"
    image.write_bytes(bytes(1 << 20))
    done = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no loop device: {done.stderr.strip()}")
    try:
        assert look(place).loops == {done.stdout.strip(): str(image)}
    finally:
        subprocess.run(["losetup", "--detach", done.stdout.strip()], check=True)
