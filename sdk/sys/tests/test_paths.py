import errno
import os
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sys import mounts, paths

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/file").write_text("inside")
    (tmp_path / "outside").write_text("outside")
    return tmp_path / "root"


def open_root(root: Path) -> int:
    return os.open(root, os.O_PATH | os.O_DIRECTORY)


@pytest.mark.parametrize("link", ["/etc", "../../../etc", "/../../etc/.", "etc/../../etc"])
def test_symbolic_links_resolve_inside_the_root(root: Path, link: str) -> None:
    (root / "link").symlink_to(link)
    dir_fd = open_root(root)
    try:
        fd = paths.open_in_root(dir_fd, "link/file", os.O_RDONLY)
        with open(fd) as file:
            assert file.read() == "inside"
    finally:
        os.close(dir_fd)


def test_absolute_path_and_dots_stay_inside(root: Path) -> None:
    dir_fd = open_root(root)
    try:
        with pytest.raises(FileNotFoundError):
            paths.open_in_root(dir_fd, "../outside")
        os.close(paths.open_in_root(dir_fd, "/etc/file"))
        os.close(paths.open_in_root(dir_fd, ""))
        with pytest.raises(OSError) as caught:
            paths.openat2(dir_fd, "../outside", os.O_PATH, resolve=paths.RESOLVE_BENEATH)
        assert caught.value.errno == errno.EXDEV
    finally:
        os.close(dir_fd)


def test_descriptors_are_closed_on_exec(root: Path) -> None:
    fd = open_root(root)
    inner = paths.open_in_root(fd, "etc")
    assert not os.get_inheritable(inner)
    os.close(inner)
    os.close(fd)


def test_read_limited_takes_only_small_regular_files(root: Path) -> None:
    os.mkfifo(root / "fifo")
    (root / "etc/big").write_bytes(bytes(11))
    dir_fd = open_root(root)
    try:
        assert paths.read_limited(dir_fd, "etc/file", 6) == b"inside"
        with pytest.raises(errors.InvalidArgument, match="fifo"):
            paths.read_limited(dir_fd, "fifo", 10)
        with pytest.raises(errors.ResourceExhausted, match="etc/big"):
            paths.read_limited(dir_fd, "etc/big", 10)
        open_before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(errors.InvalidArgument, match="etc"):
            paths.read_limited(dir_fd, "etc", 10)
        assert len(list(Path("/proc/self/fd").iterdir())) == open_before
    finally:
        os.close(dir_fd)


def test_remove_tree_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep/file").touch()
    (tmp_path / "tree/sub").mkdir(parents=True)
    (tmp_path / "tree/link").symlink_to(tmp_path / "keep")
    (tmp_path / "tree/sub/up").symlink_to("..")
    paths.remove_tree(tmp_path / "tree")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["keep"]
    assert (tmp_path / "keep/file").exists()


def test_remove_tree_takes_files_links_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    paths.remove_tree(tmp_path / "link")
    assert (tmp_path / "file").exists()
    paths.remove_tree(tmp_path / "file")
    paths.remove_tree(tmp_path / "file")
    paths.remove_tree(tmp_path / "absent/deep")
    assert [entry.name for entry in tmp_path.iterdir()] == []


def test_remove_tree_is_not_bound_by_path_max(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    os.mkdir("top", dir_fd=fd)
    fd = _descend(fd, "top")
    for _ in range(3000):
        os.mkdir("deeper", dir_fd=fd)
        fd = _descend(fd, "deeper")
    os.close(fd)
    paths.remove_tree(tmp_path / "top")
    assert [entry.name for entry in tmp_path.iterdir()] == []


def _descend(fd: int, name: str) -> int:
    inner = os.open(name, os.O_RDONLY, dir_fd=fd)
    os.close(fd)
    return inner


@root_only
def test_remove_tree_refuses_a_tree_with_a_mount_and_removes_nothing(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/precious").touch()
    (tmp_path / "tree/deep/mount").mkdir(parents=True)
    (tmp_path / "tree/file").touch()
    mounts.mount(Mount("bind", str(tmp_path / "host"), ("bind",)), tmp_path / "tree/deep/mount")
    try:
        with pytest.raises(errors.FailedPrecondition, match="deep/mount"):
            paths.remove_tree(tmp_path / "tree")
        assert (tmp_path / "tree/file").exists()
    finally:
        mounts.unmount_all(tmp_path / "tree/deep/mount")
    assert (tmp_path / "host/precious").exists()


@root_only
def test_walk_itself_never_enters_a_mount(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/precious").touch()
    (tmp_path / "tree/mount").mkdir(parents=True)
    mounts.mount(Mount("bind", str(tmp_path / "host"), ("bind",)), tmp_path / "tree/mount")
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(errors.FailedPrecondition, match="mount"):
            paths.remove_entry(fd, b"tree")
    finally:
        os.close(fd)
        mounts.unmount_all(tmp_path / "tree/mount")
    assert (tmp_path / "host/precious").exists()


def test_real_path(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    assert paths.real_path(fd) == str(tmp_path.resolve())
    os.close(fd)
