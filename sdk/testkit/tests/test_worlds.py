"""Each difference between what a daemon says and what is there is planted, and reported."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from moorage_client.clients import connect
from moorage_sdk import digests
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.images import Image
from moorage_sdk.tasks import Status
from moorage_testkit import daemons, worlds
from moorage_testkit.claims import Claims, Task
from moorage_testkit.daemons import Daemon
from moorage_testkit.traces import Process, Trace
from moorage_testkit.worlds import Finding, World, compare, verify_world

EMPTY = Trace((), (), (), {}, {}, {}, (), {}, {}, {}, {})
BUNDLE = "/state/io.containerd.runtime.v2.task/default/web"
WORLD = World("/daemon.sock", Path("/root"), Path("/state"))
NAMESPACE = f"worlds-{os.getpid()}"
BLOB = b"a blob that an image needs"

Key = tuple[str, str]


def task(pid: int = 1, *, rootfs: bool = True) -> Task:
    return Task("default", "web", pid, Status.RUNNING, rootfs, frozenset({pid, 77}))


def process(pid: int, name: str = "sleep", command: str = "sleep /root/x", state: str = "S") -> Process:
    return Process(pid, 1, state, name, command, "command")


def running(**changes: object) -> Trace:
    """The trace of one container that runs as it should."""
    key = ("default", "web")
    good = replace(EMPTY, mounts=(f"{BUNDLE}/rootfs",), cgroups={"/cg/web": key}, bundles={BUNDLE: key})
    return replace(good, **changes)  # type: ignore[arg-type]


def findings(claims: Claims, trace: Trace) -> list[tuple[str, str]]:
    return [(each.sign, each.kind) for each in compare(claims, trace, trace.layers, WORLD)]


def test_a_container_as_it_should_be() -> None:
    trace = running(processes=(process(1), process(77), process(5, worlds._MONITOR)))
    assert findings(Claims(tasks=[task()]), trace) == []


def test_a_foreign_shim_belongs_to_its_task() -> None:
    shim = process(9, "containerd-shim", "shim -namespace default -address /a -id web start")
    stray = process(10, "containerd-shim", "shim -namespace default -address /a -id other start")
    assert findings(Claims(tasks=[task()]), running(processes=(shim,))) == []
    assert findings(Claims(tasks=[task()]), running(processes=(stray,))) == [("+", "process")]


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"mounts": (f"{BUNDLE}/rootfs", "/state/other")}, ("+", "mount")),
        ({"mounts": (f"{BUNDLE}/rootfs",) * 2}, ("!", "mount")),
        ({"mounts": ()}, ("-", "mount")),
        ({"processes": (process(5),)}, ("+", "process")),
        ({"processes": (process(5, worlds._MONITOR), process(6, worlds._MONITOR))}, ("!", "process")),
        ({"zombies": (process(5, state="Z"),)}, ("+", "process")),
        ({"cgroups": {"/cg/gone": ("default", "gone")}}, ("+", "cgroup")),
        ({"runtimes": {"/run/gone": ("default", "gone")}}, ("+", "runtime state")),
        ({"bundles": {BUNDLE: ("default", "web"), "/state/gone": ("default", "gone")}}, ("+", "bundle")),
        ({"loose": ("/state/fifo",)}, ("+", "loose file")),
        ({"loops": {"/dev/loop0": "/file"}}, ("+", "loop device")),
        ({"layers": {"overlayfs": frozenset({"1", "2"})}}, ("+", "snapshot")),
        ({"layers": {"overlayfs": frozenset()}}, ("-", "snapshot")),
        ({"blobs": {"sha256:aa": 3, "sha256:bb": 1}}, ("+", "blob")),
        ({"blobs": {"sha256:aa": 2}}, ("!", "blob")),
        ({"blobs": {}}, ("-", "blob")),
        ({"ingests": {"/ingest/x": "default/4/gone"}}, ("+", "ingest")),
    ],
)
def test_one_difference(changes: dict[str, object], expected: tuple[str, str]) -> None:
    claims = Claims(tasks=[task()], blobs={"sha256:aa": 3}, layers={"overlayfs": {"1"}}, hidden={"overlayfs": 0})
    good = running(blobs={"sha256:aa": 3}, layers={"overlayfs": frozenset({"1"})})
    assert findings(claims, good) == []
    assert findings(claims, replace(good, **changes)) == [expected]  # type: ignore[arg-type]


def test_a_task_without_anything() -> None:
    found = findings(Claims(tasks=[task(pid=1 << 22)]), EMPTY)
    assert sorted(found) == [("-", "bundle"), ("-", "mount"), ("-", "process")]


def test_a_task_that_brought_its_own_root_file_system_has_no_mount() -> None:
    assert findings(Claims(tasks=[task(rootfs=False)]), running(mounts=())) == []


def test_contradictions_of_the_daemon_itself() -> None:
    assert findings(Claims(broken=['image "x": its target: not found']), EMPTY) == [("!", "reference")]


@pytest.mark.parametrize("backend", ["default/4/layer/1", "4/default/layer/1"])
def test_references_of_ingests(backend: str) -> None:
    trace = replace(EMPTY, ingests={"/ingest/x": backend})
    assert findings(Claims(refs={"default/layer/1"}), trace) == []
    assert findings(Claims(refs={"other/layer/1"}), trace) == [("+", "ingest")]


def test_activations_have_mounts_and_devices() -> None:
    trace = replace(EMPTY, mounts=("/state/t/1/0",), loops={"/dev/loop0": "/disk"})
    assert findings(Claims(points={"/state/t/1/0"}, disks={"/disk"}), trace) == []
    assert findings(Claims(points={"/state/t/2/0"}, disks={"/other"}), trace) == [("+", "mount"), ("+", "loop device")]


def test_views_hide_their_directory_and_no_more() -> None:
    trace = replace(EMPTY, layers={"overlayfs": frozenset({"1", "2"})})
    assert findings(Claims(layers={"overlayfs": {"1"}}, hidden={"overlayfs": 1}), trace) == []
    assert findings(Claims(layers={"overlayfs": set()}, hidden={"overlayfs": 1}), trace) == [("+", "snapshot")]
    assert findings(Claims(layers={"overlayfs": {"1"}}, hidden={"overlayfs": 2}), trace) == [("-", "snapshot")]


def test_what_a_snapshotter_that_is_not_loaded_has_is_its_own() -> None:
    assert findings(Claims(), replace(EMPTY, layers={"btrfs": frozenset({"1"})})) == []


def test_the_report_is_a_list_of_differences() -> None:
    report = worlds.Report((Finding("+", "mount", "/a", "of no task"), Finding("-", "blob", "sha256:aa", "missing")))
    assert report.of("mount") == [report.findings[0]]
    with pytest.raises(AssertionError, match=r"(?s)\+ mount /a: of no task\n- blob sha256:aa: missing"):
        report.assert_clean()


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    if os.geteuid():
        pytest.skip("needs root for a daemon")
    with daemons.directory() as base, Daemon(daemons.moorage(), base, namespaces=[NAMESPACE]) as daemon:
        asyncio.run(_store(daemon.address))
        yield daemon


async def _store(address: str) -> None:
    """An image whose target is there, and a snapshot that a label keeps."""

    async def pieces() -> AsyncIterator[bytes]:
        yield BLOB

    async with connect(address, NAMESPACE) as client, client.leased() as leased:
        await leased.contents.write("ref", pieces(), size=len(BLOB), expected=digests.of(BLOB))
        await leased.images.create(Image("kept", Descriptor(OCI_MANIFEST, digests.of(BLOB), len(BLOB))))
        await leased.snapshots("native").prepare("kept", labels={"containerd.io/gc.root": "yes"})


def test_a_living_world_is_clean(daemon: Daemon) -> None:
    verify_world(daemon.world).assert_clean()


def blob(daemon: Daemon) -> Path:
    algorithm, encoded = digests.split(digests.of(BLOB))
    return daemon.root / "io.containerd.content.v1.content" / "blobs" / algorithm / encoded


def in_root(relative: str) -> Callable[[Daemon], Path]:
    return lambda daemon: daemon.root / relative


@pytest.mark.parametrize(
    "place, kind",
    [
        (in_root("io.containerd.snapshotter.v1.native/snapshots/4711"), "snapshot"),
        (in_root("io.containerd.content.v1.content/ingest/stray"), "ingest"),
        (in_root("io.containerd.content.v1.content/blobs/sha256/stray"), "blob"),
        (in_root("io.containerd.runtime.v2.task/default/gone"), "bundle"),
    ],
)
def test_a_stray_directory_is_reported(daemon: Daemon, place: Callable[[Daemon], Path], kind: str) -> None:
    stray = place(daemon)
    made = [folder for folder in (stray, *stray.parents) if not folder.exists()]
    # Made while the comparison runs would be garbage of the daemon's own making; so the collection comes first.
    asyncio.run(worlds.claims_.collect(daemon.address))
    stray.mkdir(parents=True)
    try:
        found = compare(_claims(daemon), worlds.traces.look(_place(daemon), daemon.pid), _layers(daemon), daemon.world)
        assert [(each.sign, each.kind) for each in found] == [("+", kind)]
    finally:
        for folder in made:
            folder.rmdir()


def test_damage_and_loss_of_a_blob_are_reported(daemon: Daemon) -> None:
    file = blob(daemon)
    file.write_bytes(BLOB[::-1])
    assert [str(each) for each in verify_world(daemon.world, settle=0).findings] == [
        f"! blob {digests.of(BLOB)}: its bytes have another digest"
    ]
    file.write_bytes(BLOB[:-1])
    assert "bytes, not" in str(verify_world(daemon.world, settle=0))
    file.rename(daemon.root / "aside")
    assert [each.sign for each in verify_world(daemon.world, settle=0).of("blob")] == ["-"]
    (daemon.root / "aside").write_bytes(BLOB)
    (daemon.root / "aside").rename(file)
    verify_world(daemon.world, settle=0).assert_clean()


def test_a_lost_snapshot_directory_is_reported(daemon: Daemon) -> None:
    (folder,) = (daemon.root / "io.containerd.snapshotter.v1.native" / "snapshots").iterdir()
    aside = daemon.root / "aside"
    folder.rename(aside)
    try:
        assert [each.sign for each in verify_world(daemon.world, settle=0).of("snapshot")] == ["-"]
    finally:
        aside.rename(folder)


def _claims(daemon: Daemon) -> Claims:
    return asyncio.run(worlds.claims_.ask(daemon.address, daemon.root))


def _place(daemon: Daemon) -> worlds.Place:
    return worlds.Place(daemon.root, daemon.state, daemon.namespaces)


def _layers(daemon: Daemon) -> dict[str, frozenset[str]]:
    return worlds.traces.look(_place(daemon), daemon.pid).layers
