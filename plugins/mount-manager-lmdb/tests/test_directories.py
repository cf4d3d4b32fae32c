import os
from pathlib import Path

import pytest

from moorage_mount_manager_lmdb import directories
from moorage_mount_manager_lmdb.directories import Directory
from moorage_mount_manager_lmdb.roots import Roots
from moorage_sdk import errors
from moorage_sdk.mounts import Mount

OPTION = "X-containerd.mkdir.path="
root = pytest.mark.skipif(os.geteuid() != 0, reason="giving away files needs root")


def test_options() -> None:
    assert directories.parse(f"{OPTION}/a") == Directory("/a")
    assert directories.parse(f"{OPTION}/a:0755") == Directory("/a", 0o755)
    assert directories.parse(f"{OPTION}/a:711:1000:2000") == Directory("/a", 0o711, (1000, 2000))


@pytest.mark.parametrize(
    "option",
    [
        "X-containerd.mkdir.mode=0755",
        "X-containerd.mkdir.path",
        f"{OPTION}/a:",
        f"{OPTION}/a:rwx",
        f"{OPTION}/a:0o755",
        f"{OPTION}/a:1777",
        f"{OPTION}/a:-1",
        f"{OPTION}/a:0755:1",
        f"{OPTION}/a:0755:1:x",
        f"{OPTION}/a:0755:-1:0",
        f"{OPTION}/a:0755:4294967295:0",
        f"{OPTION}/a:0755:1:2:3",
    ],
)
def test_what_is_refused(option: str) -> None:
    if option == "X-containerd.mkdir.path":
        with pytest.raises(errors.Unimplemented):
            directories.transform(Mount("overlay", "o", (option,)), Roots([]))
        return
    with pytest.raises(errors.InvalidArgument, match="invalid argument"):
        directories.parse(option)


def test_directories_are_made_and_options_taken_out(tmp_path: Path) -> None:
    options = (f"{OPTION}{tmp_path}/u:0755", "lowerdir=/l", f"{OPTION}{tmp_path}/u/deep", f"upperdir={tmp_path}/u")
    mount = directories.transform(Mount("overlay", "overlay", options), Roots([tmp_path]))
    assert mount == Mount("overlay", "overlay", ("lowerdir=/l", f"upperdir={tmp_path}/u"))
    assert (tmp_path / "u").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "u/deep").stat().st_mode & 0o7777 == 0o700


def test_nothing_is_made_when_one_option_is_wrong(tmp_path: Path) -> None:
    options = (f"{OPTION}{tmp_path}/u", f"{OPTION}{tmp_path}/v:9")
    with pytest.raises(errors.InvalidArgument):
        directories.transform(Mount("overlay", "overlay", options), Roots([tmp_path]))
    assert not list(tmp_path.iterdir())


def test_the_mode_is_no_matter_of_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        directories.make(Directory(f"{tmp_path}/u", 0o777), Roots([tmp_path]))
    finally:
        os.umask(before)
    assert (tmp_path / "u").stat().st_mode & 0o7777 == 0o777


@root
def test_owners(tmp_path: Path) -> None:
    directories.make(Directory(f"{tmp_path}/u", 0o750, (1234, 2345)), Roots([tmp_path]))
    made = (tmp_path / "u").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o7777) == (1234, 2345, 0o750)


def test_one_that_exists_is_taken_with_its_mode(tmp_path: Path) -> None:
    (tmp_path / "u").mkdir(mode=0o700)
    (tmp_path / "u/kept").touch()
    directories.make(Directory(f"{tmp_path}/u"), Roots([tmp_path]))
    with pytest.raises(errors.Unimplemented, match="chmod not supported"):
        directories.make(Directory(f"{tmp_path}/u", 0o755), Roots([tmp_path]))
    assert (tmp_path / "u/kept").exists()
    assert (tmp_path / "u").stat().st_mode & 0o777 == 0o700


def test_a_file_and_a_link_are_no_directories(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/etc")
    for name in ("file", "link"):
        with pytest.raises(errors.FailedPrecondition, match="no directory"):
            directories.make(Directory(f"{tmp_path}/{name}"), Roots([tmp_path]))


def test_parents_are_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        directories.make(Directory(f"{tmp_path}/a/b"), Roots([tmp_path]))
