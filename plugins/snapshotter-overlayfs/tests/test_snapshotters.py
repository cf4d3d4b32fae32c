import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_snapshotter_overlayfs import plans, snapshotters
from moorage_snapshotter_overlayfs.snapshotters import UPPERDIR_LABEL, OverlaySnapshotter
from moorage_sys import syncing

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")


def names(root: Path) -> list[str]:
    return sorted(entry.name for entry in (root / "snapshots").iterdir())


def test_layout_and_modes_are_containerds(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        snapshotter = OverlaySnapshotter(tmp_path / "root")
        snapshotter.prepare("key")
    finally:
        os.umask(old)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("root", "root/snapshots", "root/snapshots/1")}
    assert set(modes.values()) == {0o700}
    assert (tmp_path / "root/snapshots/1/fs").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "root/snapshots/1/work").stat().st_mode & 0o777 == 0o711
    snapshotter.close()


def test_removal_is_deferred_to_cleanup_or_not(tmp_path: Path) -> None:
    for sync_remove, wanted in ((False, ["1"]), (True, [])):
        root = tmp_path / str(sync_remove)
        snapshotter = OverlaySnapshotter(root, sync_remove=sync_remove)
        snapshotter.prepare("key")
        snapshotter.remove("key")
        assert names(root) == wanted
        snapshotter.cleanup()
        assert names(root) == []
        snapshotter.close()


def test_upperdir_label(tmp_path: Path) -> None:
    snapshotter = OverlaySnapshotter(tmp_path, upperdir_label=True)
    snapshotter.prepare("key", labels={"containerd.io/snapshot/a": "1"})
    wanted = {"containerd.io/snapshot/a": "1", UPPERDIR_LABEL: f"{tmp_path}/snapshots/1/fs"}
    assert dict(snapshotter.stat("key").labels) == wanted
    assert [dict(info.labels) for info in snapshotter.walk()] == [wanted]
    snapshotter.close()


@root_only
def test_root_belongs_to_the_mapped_root_or_to_the_parents_owner(tmp_path: Path) -> None:
    snapshotter = OverlaySnapshotter(tmp_path)
    labels = {plans.UID_MAPPING: "0:1000:10", plans.GID_MAPPING: "0:2000:10"}
    snapshotter.prepare("a", labels=labels)
    snapshotter.commit("A", "a")
    snapshotter.prepare("b", "A")
    for number in (1, 2):
        status = (tmp_path / f"snapshots/{number}/fs").stat()
        assert (status.st_uid, status.st_gid) == (1000, 2000)
    with pytest.raises(errors.InvalidArgument):
        snapshotter.prepare("c", labels={plans.UID_MAPPING: "nonsense"})
    assert names(tmp_path) == ["1", "2"]
    snapshotter.close()


def test_layer_is_synced_before_it_is_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(syncing, "sync_filesystem", lambda path: synced.append(str(path)))
    for number, sync_commit in enumerate((True, False)):
        snapshotter = OverlaySnapshotter(tmp_path / str(number), sync_commit=sync_commit)
        snapshotter.prepare("key")
        snapshotter.commit("name", "key")
        snapshotter.close()
    assert synced == [f"{tmp_path}/0/snapshots/1/fs"]


def test_failed_sync_commits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: object) -> None:
        raise OSError(5, "Input/output error")

    snapshotter = OverlaySnapshotter(tmp_path)
    snapshotter.prepare("key")
    monkeypatch.setattr(syncing, "sync_filesystem", broken)
    with pytest.raises(errors.DataLoss, match='snapshot "key"'):
        snapshotter.commit("name", "key")
    assert [info.name for info in snapshotter.walk()] == ["key"]
    snapshotter.close()


def test_full_disk_leaves_neither_record_nor_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: object) -> None:
        raise OSError(28, "No space left on device")

    snapshotter = OverlaySnapshotter(tmp_path)
    monkeypatch.setattr(snapshotters.syncing, "sync_directory", full)
    with pytest.raises(errors.ResourceExhausted, match="free some space"):
        snapshotter.prepare("key")
    assert list(snapshotter.walk()) == []
    assert names(tmp_path) == []
    snapshotter.close()


@pytest.mark.parametrize("moment", ["directories", "record", "recorded", "committed", "removed"])
def test_killed(tmp_path: Path, moment: str) -> None:
    """What was acknowledged is there; after a cleanup no directory is without a name."""
    code = f"""
import os, signal, sys
from pathlib import Path
from moorage_kv.snapshots import Records
from moorage_snapshotter_overlayfs import snapshotters
s = snapshotters.OverlaySnapshotter(Path(sys.argv[1]), sync_remove=True)
s.prepare("kept")
die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
def after(name):
    real = getattr(Records, name)
    setattr(Records, name, lambda *a: (real(*a), die()))
if {moment!r} == "directories": snapshotters.syncing.sync_directory = die
if {moment!r} == "record": Records.create = die
if {moment!r} == "recorded": after("create")
s.prepare("second")
if {moment!r} == "committed": after("commit")
s.commit("done", "second")
if {moment!r} == "removed": after("remove")
s.remove("done")
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    snapshotter = OverlaySnapshotter(tmp_path)
    snapshotter.cleanup()
    wanted = {"recorded": {"kept", "second"}, "committed": {"kept", "done"}}.get(moment, {"kept"})
    assert {info.name for info in snapshotter.walk()} == wanted
    assert len(names(tmp_path)) == len(wanted)
    snapshotter.close()
