import os
from pathlib import Path

import pytest

from moorage_sys import mount_api, mounts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


def test_clone_is_a_bind_mount_that_can_be_made_read_only(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (source / "file").write_text("x")
    fd = mount_api.clone_tree(source)
    try:
        mount_api.set_attributes(fd, set=mount_api.MOUNT_ATTR_RDONLY)
        mount_api.attach(fd, target)
        with pytest.raises(OSError, match="Read-only"):
            (target / "other").touch()
        (source / "other").touch()
        assert (target / "other").exists()
    finally:
        os.close(fd)
        mounts.unmount_all(target)


def test_parent_of_a_detached_clone_is_itself(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    fd = mount_api.clone_tree(tmp_path / "inner")
    try:
        above = os.open("..", os.O_PATH, dir_fd=fd)
        try:
            assert os.path.samestat(os.fstat(above), os.fstat(fd))
        finally:
            os.close(above)
    finally:
        os.close(fd)


def test_create_reports_the_file_systems_own_words() -> None:
    with pytest.raises(OSError, match=r"(?i)unknown parameter|nonsense"):
        mount_api.create("tmpfs", [("nonsense", "1")])


def test_create_and_attach_a_tmpfs(tmp_path: Path) -> None:
    fd = mount_api.create("tmpfs", [("size", "64k"), ("mode", "0700")], attributes=mount_api.MOUNT_ATTR_NOEXEC)
    try:
        mount_api.attach(fd, tmp_path)
        assert os.statvfs(tmp_path).f_flag & os.ST_NOEXEC
    finally:
        os.close(fd)
        mounts.unmount_all(tmp_path)


def test_absent_paths_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        mount_api.clone_tree(tmp_path / "absent")
    assert caught.value.filename == str(tmp_path / "absent")
