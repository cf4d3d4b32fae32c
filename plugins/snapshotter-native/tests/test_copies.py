import errno
import os
from pathlib import Path

import pytest

from moorage_snapshotter_native import copies
from moorage_testkit import trees

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="owners and devices need root")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source/sub/deep").mkdir(parents=True)
    (tmp_path / "source/sub/file").write_bytes(os.urandom(200_000))
    (tmp_path / "source/empty").touch()
    (tmp_path / "source/link").symlink_to("/etc/passwd")
    (tmp_path / "source/dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "source/fifo", 0o640)
    (tmp_path / "source/sub/deep/same").hardlink_to(tmp_path / "source/sub/file")
    (tmp_path / "source/same-link").hardlink_to(tmp_path / "source/link")
    (tmp_path / "source/sub").chmod(0o2750)
    return tmp_path / "source"


def copied(source: Path) -> Path:
    target = source.with_name("target")
    target.mkdir()
    copies.copy_tree(source, target)
    return target


def test_copy_equals_the_source(source: Path) -> None:
    for number, path in enumerate([source, *source.rglob("*")]):
        os.utime(path, ns=(10**18 + number, 10**18 + number * 10**9), follow_symlinks=False)
    assert trees.read(copied(source), times=True) == trees.read(source, times=True)


@root_only
def test_owners_modes_capabilities_and_devices(source: Path) -> None:
    os.chown(source / "empty", 5, 6)
    (source / "empty").chmod(0o6755)
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    os.chown(source / "sub/file", 7, 8)
    os.setxattr(source / "sub/file", "security.capability", capability)
    os.setxattr(source / "sub", "trusted.test", b"kept")
    os.mknod(source / "null", 0o20666, os.makedev(1, 3))
    os.lchown(source / "link", 9, 9)
    target = copied(source)
    assert trees.read(target) == trees.read(source)
    assert os.getxattr(target / "sub/file", "security.capability") == capability
    assert (target / "empty").stat().st_mode & 0o7777 == 0o6755


def test_holes_stay_holes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with open(source / "sparse", "wb") as file:
        file.seek(1 << 30)
        file.write(b"end")
    target = copied(source)
    assert (target / "sparse").stat().st_size == (1 << 30) + 3
    assert (target / "sparse").stat().st_blocks * 512 < 1 << 20
    with open(target / "sparse", "rb") as file:
        file.seek(1 << 30)
        assert file.read() == b"end"


def test_descriptors_are_returned_after_an_error(source: Path) -> None:
    target = source.with_name("target")
    target.mkdir()
    (target / "sub").mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(FileExistsError):
        copies.copy_tree(source, target)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("failing", range(6))
def test_descriptors_are_returned_when_none_is_left(
    source: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Each opening of a directory in turn is refused: three pairs, of the root and two levels below it."""
    target = source.with_name("target")
    target.mkdir()
    before, real, opened = len(list(Path("/proc/self/fd").iterdir())), os.open, 0

    def refusing(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        nonlocal opened
        opened += bool(flags & os.O_DIRECTORY)
        if opened == failing + 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
        return real(path, flags, mode, dir_fd=dir_fd)

    with monkeypatch.context() as patched, pytest.raises(OSError, match="open files"):
        patched.setattr(os, "open", refusing)
        copies.copy_tree(source, target)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
