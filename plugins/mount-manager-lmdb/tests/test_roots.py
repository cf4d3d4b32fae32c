import os
from pathlib import Path

import pytest

from moorage_mount_manager_lmdb.roots import Roots
from moorage_sdk import errors


def place(root: Path, path: str) -> tuple[str, str]:
    with Roots([root]).parent(path, "mkdir") as (fd, name):
        return os.readlink(f"/proc/self/fd/{fd}"), name  # noqa: PTH115 - a descriptor's name


def test_a_place_is_a_folder_and_a_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert place(tmp_path, f"{tmp_path}/a/b") == (f"{tmp_path}/a", "b")
    assert place(tmp_path, f"{tmp_path}//x/") == (str(tmp_path), "x")


def test_the_first_root_that_holds_it(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    with Roots([one, two]).parent(f"{two}/x", "mkdir") as (fd, name):
        assert os.fstat(fd).st_ino == two.stat().st_ino
        assert name == "x"


@pytest.mark.parametrize("path", ["/etc/x", "relative", "", "{root}-evil/x", "{root}evil"])
def test_beneath_no_root(tmp_path: Path, path: str) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root-evil").mkdir()
    with pytest.raises(errors.Unimplemented, match=r"no root .* configured for mkdir: not implemented"):
        place(tmp_path / "root", path.format(root=tmp_path / "root"))


@pytest.mark.parametrize("path", ["", "/", "/.", "/..", "/a/..", "/../x", "/a/../../x", "/a\0b"])
def test_what_is_no_place(tmp_path: Path, path: str) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(errors.InvalidArgument):
        place(tmp_path, f"{tmp_path}{path}")


def test_links_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / "inside").symlink_to("real")
    (root / "outside").symlink_to("/etc")
    for link in ("inside", "outside"):
        with pytest.raises(OSError, match=link):
            place(root, f"{root}/{link}/x")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        place(tmp_path, f"{tmp_path}/absent/x")
