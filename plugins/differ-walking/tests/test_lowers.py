import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_differ_walking import lowers
from moorage_sdk import errors

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="whiteouts need root")


@pytest.fixture
def layers(tmp_path: Path) -> Iterator[list[int]]:
    """Newest first: ``one`` over ``two`` over ``three``."""
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    opened = [os.open(tmp_path / name, os.O_RDONLY) for name in ("one", "two", "three")]
    yield opened
    for fd in opened:
        os.close(fd)


def shows(layers: list[int], path: bytes) -> bool:
    fd = lowers.find(layers, path)
    if fd is not None:
        os.close(fd)
    return fd is not None


def test_newest_wins_and_gaps_are_seen_through(tmp_path: Path, layers: list[int]) -> None:
    (tmp_path / "one/d").mkdir()
    (tmp_path / "three/d").mkdir()
    (tmp_path / "three/d/file").write_text("3")
    (tmp_path / "two/file").write_text("2")
    (tmp_path / "three/file").write_text("3")
    assert shows(layers, b"d/file")
    fd = lowers.find(layers, b"file", os.O_RDONLY)
    assert fd is not None
    with open(fd) as file:
        assert file.read() == "2"
    assert not shows(layers, b"absent")


def test_whiteouts_files_links_and_opaque_directories_cover(tmp_path: Path, layers: list[int]) -> None:
    for name in ("white", "file", "link", "opaque"):
        (tmp_path / "three" / name).mkdir()
        (tmp_path / "three" / name / "x").touch()
    os.mknod(tmp_path / "two/white", stat.S_IFCHR, 0)
    (tmp_path / "two/file").touch()
    (tmp_path / "two/link").symlink_to("opaque")
    (tmp_path / "two/opaque").mkdir()
    os.setxattr(tmp_path / "two/opaque", lowers.OPAQUE, b"y")
    assert not shows(layers, b"white")
    for name in (b"white/x", b"file/x", b"link/x", b"opaque/x"):
        assert not shows(layers, name), name
    assert shows(layers, b"opaque")
    assert shows(layers[2:], b"opaque/x")


def test_names_are_those_of_all(tmp_path: Path, layers: list[int]) -> None:
    (tmp_path / "one/a").touch()
    (tmp_path / "three/b").touch()
    assert lowers.names(layers) == {b"a", b"b"}


def test_copy_up(tmp_path: Path, layers: list[int]) -> None:
    (tmp_path / "upper").mkdir()
    source = tmp_path / "two/file"
    source.write_bytes(b"x" * 100_000)
    os.chown(source, 5, 6)
    source.chmod(0o4750)
    os.setxattr(source, "user.a", b"1")
    os.setxattr(source, "trusted.overlay.origin", b"2")
    os.utime(source, (1, 2))
    (tmp_path / "three/link").symlink_to("somewhere")
    (tmp_path / "three/dir").mkdir()
    upper = os.open(tmp_path / "upper", os.O_RDONLY)
    try:
        lowers.copy_up(layers, b"file", upper, b"copy")
        lowers.copy_up(layers, b"link", upper, b"link")
        with pytest.raises(FileNotFoundError):
            lowers.copy_up(layers, b"absent", upper, b"x")
        with pytest.raises(errors.InvalidArgument):
            lowers.copy_up(layers, b"dir", upper, b"x")
    finally:
        os.close(upper)
    copy = tmp_path / "upper/copy"
    assert copy.read_bytes() == source.read_bytes()
    status = copy.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777, status.st_mtime) == (5, 6, 0o4750, 2)
    assert os.listxattr(copy) == ["user.a"]
    assert str((tmp_path / "upper/link").readlink()) == "somewhere"
