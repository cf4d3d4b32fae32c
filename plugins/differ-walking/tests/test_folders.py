import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_differ_walking.folders import Folders
from moorage_sdk import errors


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def same(fd: int, path: Path) -> bool:
    return os.path.samestat(os.fstat(fd), path.stat())


def test_missing_directories_are_made_and_told(tmp_path: Path, root: int) -> None:
    made: list[bytes] = []
    folders = Folders(root, [], lambda parent, name: made.append(name))
    assert same(folders.find(b"a/b/c"), tmp_path / "a/b/c")
    assert same(folders.find(b""), tmp_path)
    assert same(folders.find(b"a/b"), tmp_path / "a/b")
    assert made == [b"a", b"b", b"c"]
    folders.close()


def test_result_is_kept_only_until_forgotten(tmp_path: Path, root: int) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    folders = Folders(root, [])
    first = folders.find(b"a")
    assert folders.find(b"a") == first
    (tmp_path / "a").rmdir()
    (tmp_path / "a").symlink_to("b")
    folders.forget()
    assert same(folders.find(b"a"), tmp_path / "b")
    folders.close()


def test_links_stay_inside_also_where_they_lead_to_nothing(tmp_path: Path, root: int) -> None:
    (tmp_path / "out").symlink_to("../../../../new/x")
    (tmp_path / "abs").symlink_to("/other")
    folders = Folders(root, [])
    assert same(folders.find(b"out/y"), tmp_path / "new/x/y")
    assert same(folders.find(b"abs/../abs/z"), tmp_path / "other/z")
    folders.close()


def test_trace_has_no_links_in_it(tmp_path: Path, root: int) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "l").symlink_to("d/../d/e")
    folders = Folders(root, [])
    fd, path = folders.trace(b"l")
    assert path == b"d/e"
    assert same(fd, tmp_path / "d/e")
    folders.close()


def test_faults(tmp_path: Path, root: int) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop/x")
    folders = Folders(root, [])
    with pytest.raises(errors.InvalidArgument, match="not a directory"):
        folders.find(b"file/x")
    with pytest.raises((errors.InvalidArgument, OSError)):
        folders.find(b"loop")
    folders.close()


def test_descriptors_are_given_back(tmp_path: Path, root: int) -> None:
    (tmp_path / "file").touch()
    before = len(list(Path("/proc/self/fd").iterdir()))
    folders = Folders(root, [])
    for name in (b"a/b", b"c", b"a/b/../d"):
        folders.find(name)
    with pytest.raises(errors.InvalidArgument):
        folders.find(b"file/x")
    folders.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
