"""What the compiled code does is what its callers' tests compare; here is what it must leave to them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_sys import tar_runs
from moorage_sys.tar_runs import Extractor
from moorage_testkit.archives import Tar, base256

pytestmark = [
    pytest.mark.skipif(not tar_runs.COMPILED, reason="built without a compiler"),
    pytest.mark.skipif(os.geteuid() != 0, reason="owners need root"),
]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def test_plain_entries_are_made_with_all_attributes(tmp_path: Path, root: int) -> None:
    tar = Tar().folder("./d/", 0o2755, uid=3, mtime=9).file("d/f", b"x" * 700, 0o4711, uid=5, gid=6, mtime=7)
    data = tar.symlink("d/l", "/etc", uid=8, mtime=8).file("l" * 99 + "/x").data
    run = Extractor(root).extract(b"before" + data, 6, 10)
    assert (run.size, run.entries, run.folders) == (512 + 512 + 1024 + 512, 3, [0])
    file, link, folder = (tmp_path / "d/f").stat(), (tmp_path / "d/l").lstat(), (tmp_path / "d").stat()
    assert (file.st_mode & 0o7777, file.st_uid, file.st_gid, file.st_mtime) == (0o4711, 5, 6, 7)
    assert (link.st_uid, link.st_mtime, os.readlink(tmp_path / "d/l")) == (8, 8, "/etc")  # noqa: PTH115  # as text
    assert (folder.st_mode & 0o7777, folder.st_uid) == (0o2755, 3)
    assert (tmp_path / "d/f").read_bytes() == b"x" * 700


def test_no_more_than_wanted(tmp_path: Path, root: int) -> None:
    data = Tar().file("a").file("b").file("c").data
    assert Extractor(root).extract(data, 0, 2).entries == 2
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]  # noqa: PTH208  # names are enough


NOT_PLAIN = {
    "above": Tar().file("../x"),
    "above in the middle": Tar().file("d/../x"),
    "absolute": Tar().file("/x"),
    "two slashes": Tar().file("d//x"),
    "dot": Tar().file("d/./x"),
    "root": Tar().folder("./"),
    "no name": Tar().file(""),
    "root as a link": Tar().symlink("./", "/etc"),
    "file with a slash": Tar().header("x/", b"0"),
    "whiteout": Tar().file("d/.wh.x"),
    "opaque": Tar().file("d/.wh..wh..opq"),
    "hard link": Tar().link("x", "d"),
    "device": Tar().header("x", b"3", device=(1, 3)),
    "old kind of file": Tar().header("x", b"\0"),
    "long name": Tar().gnu_long("x" * 200).file("x"),
    "records": Tar().pax({"path": "y"}).file("x"),
    "wrong checksum": Tar().header("x", checksum=7),
    "empty link": Tar().symlink("x", ""),
    "data that is not there yet": Tar().header("x", size=513).raw(bytes(512)),
    "parent that is missing": Tar().file("missing/x"),
    "parent that is a file": Tar().file("f/x"),
    "what exists": Tar().file("f"),
    "directory that exists": Tar().folder("d"),
    "link in place of a file": Tar().symlink("f", "x"),
    "number in base 256": Tar().header("x", uid=base256(1 << 31, 8)),
    "number that is none": Tar().header("x", mode=b"0000x44\0"),
    "header cut off": Tar().raw(Tar().file("x").data[:511]),
    "end": Tar().raw(bytes(1024)),
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_left_alone(tmp_path: Path, root: int, name: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_bytes(b"kept")
    run = Extractor(root).extract(NOT_PLAIN[name].data, 0, 10)
    assert (run.size, run.entries, run.folders) == (0, 0, [])
    assert sorted(os.listdir(tmp_path)) == ["d", "f"]  # noqa: PTH208  # names are enough
    assert os.listdir(tmp_path / "d") == []  # noqa: PTH208  # names are enough
    assert (tmp_path / "f").read_bytes() == b"kept"


def test_links_lead_nowhere_but_inside(tmp_path: Path) -> None:
    """CVE-2025-47290: a name that meant a directory of the root a moment ago."""
    (tmp_path / "root").mkdir()
    (tmp_path / "host").mkdir()
    fd = os.open(tmp_path / "root", os.O_RDONLY | os.O_DIRECTORY)
    try:
        tar = Tar().folder("host").symlink("up", "../host").symlink("abs", str(tmp_path / "host"))
        run = Extractor(fd).extract(tar.file("up/x").file("abs/x").data, 0, 10)
    finally:
        os.close(fd)
    assert run.entries == 4
    assert (tmp_path / "root/host/x").exists()
    assert list((tmp_path / "host").iterdir()) == []


def test_nothing_stays_open(root: int) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    Extractor(root).extract(Tar().folder("d").file("d/f").file("d/g").file("g/h").data, 0, 10)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
