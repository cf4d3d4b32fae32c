"""Extraction apart from single entries: modes, times, limits, disks, mounts. What entries become is beside this."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage_differ_walking.extractions import Extraction
from moorage_differ_walking.limits import Limits
from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sys import mounts
from moorage_testkit.archives import Tar

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="owners, devices and mounts need root"),
    pytest.mark.usefixtures("code", "host"),
]
Unpack = Callable[..., None]


def test_mode_of_a_file_outside_is_not_changed_through_links(tmp_path: Path, unpack: Unpack) -> None:
    """CVE-2021-32760."""
    (tmp_path / "root").mkdir()
    victim, other = tmp_path / "perm400", tmp_path / "also-exists-outside-root"
    victim.touch(0o400)
    other.touch(0o640)
    layer = Tar().symlink(str(other), str(victim)).link("sketchylink", str(other))
    unpack(tmp_path / "root", layer.end())
    assert (victim.stat().st_mode & 0o777, other.stat().st_mode & 0o777) == (0o400, 0o640)
    assert (tmp_path / "root/sketchylink").is_symlink()


def test_times_of_directories_are_those_of_the_layer(tmp_path: Path, unpack: Unpack) -> None:
    layer = (
        Tar().folder("d", mtime=1000).file("d/f", mtime=2000).symlink("d/l", "x", mtime=3000).folder("d/e", mtime=4000)
    )
    unpack(tmp_path, layer.file("d/e/f").end())
    found = {name: (tmp_path / name).lstat().st_mtime for name in ("d", "d/f", "d/l", "d/e")}
    assert found == {"d": 1000, "d/f": 2000, "d/l": 3000, "d/e": 4000}


@pytest.mark.parametrize("umask", [0, 0o077])
def test_umask_changes_nothing(tmp_path: Path, umask: int, unpack: Unpack) -> None:
    old = os.umask(umask)
    try:
        unpack(tmp_path, Tar().folder("d", 0o2775).file("d/f", b"", 0o666).file("implicit/f", b"", 0o640).end())
    finally:
        os.umask(old)
    modes = {name: (tmp_path / name).stat().st_mode & 0o7777 for name in ("d", "d/f", "implicit", "implicit/f")}
    assert modes == {"d": 0o2775, "d/f": 0o666, "implicit": 0o755, "implicit/f": 0o640}


@pytest.mark.parametrize(
    ("limits", "layer"),
    [
        (Limits(entries=3), Tar().file("a").file("b").file("c").file("d")),
        (Limits(depth=5), Tar().file("a/b/c/d/e/f")),
        (Limits(path=100), Tar().pax({"path": "x/" * 60 + "f"}).file("f")),
        (Limits(size=4000), Tar().file("f", bytes(5000))),
        (Limits(header=2000), Tar().pax({"comment": "x" * 3000}).file("f")),
        (Limits(xattr=10), Tar().pax({"SCHILY.xattr.user.a": "x" * 11}).file("f")),
        (Limits(xattrs=10), Tar().pax({f"SCHILY.xattr.user.{n}": "xxx" for n in range(4)}).file("f")),
    ],
)
def test_limits(tmp_path: Path, limits: Limits, layer: Tar, unpack: Unpack) -> None:
    with pytest.raises(errors.ResourceExhausted, match="over the limit"):
        unpack(tmp_path, layer.end(), limits)


def test_paths_longer_than_the_kernel_takes(tmp_path: Path, unpack: Unpack) -> None:
    deep = "/".join(["component"] * 800)
    layer = Tar().pax({"path": deep + "/one"}).file("x", b"1").pax({"path": deep + "/two"}).file("x", b"2")
    unpack(tmp_path, layer.end())
    fd = os.open(tmp_path, os.O_PATH)
    for _ in range(800):
        inner = os.open("component", os.O_PATH, dir_fd=fd)
        os.close(fd)
        fd = inner
    with open(os.open("two", os.O_RDONLY, dir_fd=fd)) as file:
        assert file.read() == "2"
    os.close(fd)


def test_full_disk_is_told_as_such(tmp_path: Path, unpack: Unpack) -> None:
    mounts.mount(Mount("tmpfs", "tmpfs", ("size=64k",)), tmp_path)
    try:
        with pytest.raises(errors.ResourceExhausted, match="no space left"):
            unpack(tmp_path, Tar().file("f", bytes(200_000)).end())
    finally:
        mounts.unmount_all(tmp_path)


def test_mount_in_the_way_is_not_removed_through(tmp_path: Path, unpack: Unpack) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/precious").touch()
    (tmp_path / "root/d/mnt").mkdir(parents=True)
    mounts.mount(Mount("bind", str(tmp_path / "host"), ("bind",)), tmp_path / "root/d/mnt")
    try:
        with pytest.raises(errors.FailedPrecondition):
            unpack(tmp_path / "root", Tar().file(".wh.d").end())
    finally:
        mounts.unmount_all(tmp_path / "root/d/mnt")
    assert (tmp_path / "host/precious").exists()


def test_devices_can_be_left_out(tmp_path: Path, unpack: Unpack) -> None:
    layer = Tar().header("null", b"3", device=(1, 3)).header("fifo", b"6")
    unpack(tmp_path, layer.end(), devices=False)
    assert [entry.name for entry in tmp_path.iterdir()] == ["fifo"]


def test_rebased_layer_keeps_its_removals(tmp_path: Path, unpack: Unpack) -> None:
    """An upper directory whose lower layers are not known yet."""
    unpack(tmp_path, Tar().file("etc/.wh.passwd").file("d/.wh..wh..opq").end(), overlay=True)
    assert (tmp_path / "etc/passwd").stat().st_rdev == 0
    assert stat.S_ISCHR((tmp_path / "etc/passwd").stat().st_mode)
    assert os.getxattr(tmp_path / "d", "trusted.overlay.opaque") == b"y"


def test_more_links_to_one_file_than_the_file_system_takes(tmp_path: Path, unpack: Unpack) -> None:
    layer = Tar().file("f").folder("d")
    for number in range(70_000):
        layer.link(f"d/{number}", "f")
    # ext4 ends at 65,000 names, tmpfs and xfs go on.
    try:
        unpack(tmp_path, layer.end())
    except errors.ResourceExhausted as error:
        assert "too many links" in str(error)
    assert (tmp_path / "f").stat().st_nlink >= 65_000


@pytest.mark.parametrize("depth", [4_097, 100_000])
def test_paths_deeper_than_the_limit_end_cleanly(tmp_path: Path, depth: int, unpack: Unpack) -> None:
    layer = Tar().pax({"path": "x/" * depth}).folder("x").end()
    with pytest.raises(errors.ResourceExhausted):
        unpack(tmp_path, layer)
    assert list(tmp_path.iterdir()) == []


def test_compiled_code_is_used_only_where_it_knows_enough(tmp_path: Path, code: str) -> None:
    """It knows neither small limits nor which entries an opaque marker must spare."""

    def used(limits: Limits, **settings: bool) -> bool:
        root = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            extraction = Extraction(root, limits, **settings)
            extraction.finish()
            return extraction.plain is not None
        finally:
            os.close(root)

    there = code == "compiled"
    assert used(Limits()) == used(Limits(), overlay=True) == there
    assert not used(Limits(), compiled=False)
    assert not used(Limits(path=255))
    assert not used(Limits(depth=127))
    (tmp_path / "old").touch()
    assert not used(Limits())
    assert used(Limits(), overlay=True) == there
