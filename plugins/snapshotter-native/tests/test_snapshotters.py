import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_snapshotter_native.snapshotters import NativeSnapshotter
from moorage_sys import mounts


def test_mounts_are_containerds(tmp_path: Path) -> None:
    snapshotter = NativeSnapshotter(tmp_path)
    assert snapshotter.prepare("a") == (Mount("bind", f"{tmp_path}/snapshots/1", ("rbind", "rw")),)
    snapshotter.commit("A", "a")
    assert snapshotter.view("v", "A") == (Mount("bind", f"{tmp_path}/snapshots/1", ("rbind", "ro")),)
    assert snapshotter.prepare("b", "A") == (Mount("bind", f"{tmp_path}/snapshots/3", ("rbind", "rw")),)
    snapshotter.close()


def test_directories_are_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / "root/snapshots").mkdir(parents=True)
    (tmp_path / "root").chmod(0o777)
    NativeSnapshotter(tmp_path / "root").close()
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("root", "root/snapshots")] == [0o700, 0o700]


def test_names_survive_and_leftovers_do_not(tmp_path: Path) -> None:
    first = NativeSnapshotter(tmp_path)
    first.prepare("key")
    first.close()
    (tmp_path / "snapshots/7").mkdir()
    (tmp_path / "snapshots/7/file").touch()
    (tmp_path / "snapshots/new-abc").mkdir()
    again = NativeSnapshotter(tmp_path)
    again.cleanup()
    assert [entry.name for entry in (tmp_path / "snapshots").iterdir()] == ["1"]
    assert [info.name for info in again.walk()] == ["key"]
    again.prepare("next")
    assert (tmp_path / "snapshots/8").is_dir()
    again.close()


def test_failed_copy_leaves_neither_record_nor_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshotter = NativeSnapshotter(tmp_path)
    snapshotter.prepare("a")
    (tmp_path / "snapshots/1/file").write_text("x")
    snapshotter.commit("A", "a")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(errors.ResourceExhausted, match='snapshot "b"'):
        snapshotter.prepare("b", "A")
    assert [info.name for info in snapshotter.walk()] == ["A"]
    assert [entry.name for entry in (tmp_path / "snapshots").iterdir()] == ["1"]
    snapshotter.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_mount_left_in_a_removed_snapshot_is_not_deleted_through(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/precious").touch()
    snapshotter = NativeSnapshotter(tmp_path / "root")
    snapshotter.prepare("key")
    inside = tmp_path / "root/snapshots/1/mnt"
    inside.mkdir()
    mounts.mount(Mount("bind", str(tmp_path / "host"), ("bind",)), inside)
    try:
        snapshotter.remove("key")
        snapshotter.cleanup()
        assert (tmp_path / "host/precious").exists()
    finally:
        mounts.unmount_all(inside)
    snapshotter.cleanup()
    assert list((tmp_path / "root/snapshots").iterdir()) == []
    snapshotter.close()


@pytest.mark.parametrize("moment", ["mkdir", "sync", "record", "recorded"])
def test_killed_while_preparing(tmp_path: Path, moment: str) -> None:
    """What was acknowledged is there; what was not is gone after a cleanup, whole and without a trace."""
    code = f"""
import os, signal, sys
from pathlib import Path
from moorage_kv.snapshots import Records
from moorage_snapshotter_native import snapshotters
s = snapshotters.NativeSnapshotter(Path(sys.argv[1]))
s.prepare("first")
die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
create = Records.create
if {moment!r} == "mkdir": Path.mkdir = die
if {moment!r} == "sync": snapshotters.syncing.sync_directory = die
if {moment!r} == "record": Records.create = die
if {moment!r} == "recorded": Records.create = lambda *a: (create(*a), die())
s.prepare("second")
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    snapshotter = NativeSnapshotter(tmp_path)
    snapshotter.cleanup()
    names = {info.name for info in snapshotter.walk()}
    assert names == ({"first", "second"} if moment == "recorded" else {"first"})
    sources = {snapshotter.mounts(name)[0].source for name in names}
    assert {str(entry) for entry in (tmp_path / "snapshots").iterdir()} == sources
    snapshotter.close()
