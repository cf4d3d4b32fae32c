"""A process that is killed at any step of an activation or its end, and what the next one finds and leaves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk.mounts import Mount
from moorage_sys import mountinfo

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root"),
    pytest.mark.skipif(not Path("/dev/loop-control").exists(), reason="no loop devices here"),
    pytest.mark.skipif(not shutil.which("mkfs.ext4", path="/usr/sbin:/sbin"), reason="mkfs.ext4 is not installed"),
]

STEPS = (
    ("moorage_mount_manager_lmdb.records.Records", "begin complete end ended"),
    ("moorage_mount_manager_lmdb.targets.Targets", "create perform undo"),
    ("moorage_mount_manager_lmdb.filesystems", "make _run"),
    ("moorage_mount_manager_lmdb.directories", "make"),
    ("moorage_sys.mounts", "mount unmount"),
    ("moorage_sys.loops", "attach"),
)

VICTIM = """
import importlib, os, signal, sys
from pathlib import Path

folder, last = Path(sys.argv[1]), int(sys.argv[2])
count = 0

def step():
    global count
    count += 1
    if count == last:
        os.kill(os.getpid(), signal.SIGKILL)

def watched(call):
    def wrapped(*arguments, **options):
        step()
        result = call(*arguments, **options)
        step()
        return result
    return wrapped

for name, attributes in STEPS:
    try:
        owner = importlib.import_module(name)
    except ImportError:
        module, _, kind = name.rpartition(".")
        owner = getattr(importlib.import_module(module), kind)
    for attribute in attributes.split():
        setattr(owner, attribute, watched(getattr(owner, attribute)))

from moorage_mount_manager_lmdb.managers import LmdbMountManager
from moorage_mount_manager_lmdb.records import Records
from moorage_mount_manager_lmdb.roots import Roots
from moorage_mount_manager_lmdb.targets import Targets
from moorage_sdk.mounts import Mount

manager = LmdbMountManager(
    Records.open(folder / "records"), Targets(folder / "t", {}), {}, Roots([folder / "t", folder])
)
disk = Mount("mkfs/ext4", str(folder / "disk"), ("loop", "X-containerd.mkfs.size=4MiB"))
inner = Mount("format/mkdir/bind", "{{ mount 0 }}/a", ("X-containerd.mkdir.path={{ mount 0 }}/a", "rbind"))
manager.activate("default", "web", [disk, inner], temporary=True)
activated = count
manager.deactivate("default", "web")
print(activated, count)
"""


def run(folder: Path, last: int) -> subprocess.CompletedProcess[str]:
    script = VICTIM.replace("STEPS", repr(STEPS))
    return subprocess.run([sys.executable, "-c", script, str(folder), str(last)], capture_output=True, text=True)


def attached(file: Path) -> bool:
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            found.append(backing.read_text().strip())
        except FileNotFoundError:
            continue
    return str(file) in found


def test_at_every_step(house: Any, tmp_path: Path) -> None:
    folder = tmp_path / "victim"
    folder.mkdir()
    whole = run(folder, 0)
    assert whole.returncode == 0, whole.stderr
    activated, steps = map(int, whole.stdout.split())
    assert steps > activated + 6 > 20
    for last in range(1, steps + 1):
        shutil.rmtree(folder)
        folder.mkdir()
        killed = run(folder, last)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        house.records.close()
        house.folder = folder
        house.handlers.clear()
        manager = house.open()
        manager.recover(rebooted=False)
        listed = [each.name for each in manager.list("default")]
        # The last step of an activation is behind the commit that completes it, the next one before the ending's.
        assert listed == (["web"] if last in (activated, activated + 1) else []), last
        if listed:
            assert Path(manager.info("default", "web").system[0].source).is_dir(), last
            manager.deactivate("default", "web")
        assert mountinfo.beneath(str(folder)) == [], last
        assert not attached(folder / "disk"), last
        assert house.left() == [], last
        assert house.records.endings() == [], last
        # The disk is whole or not there, so that the next activation makes it.
        disk = Mount("mkfs/ext4", str(folder / "disk"), ("loop", "X-containerd.mkfs.size=4MiB"))
        again = manager.activate("default", "web", [disk], temporary=True)
        assert Path(again.active[0].mount_point, "lost+found").is_dir(), last
        manager.deactivate("default", "web")
