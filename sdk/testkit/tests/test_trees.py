import os
from pathlib import Path

from moorage_testkit import trees


def test_equal_trees_are_equal_and_details_count(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub/file").write_text("x")
        (tmp_path / name / "link").symlink_to("sub/file")
        os.link(tmp_path / name / "sub/file", tmp_path / name / "same")
    assert trees.read(tmp_path / "a") == trees.read(tmp_path / "b")
    assert trees.read(tmp_path / "a")["sub/file"].same_as == "same"
    (tmp_path / "b/sub/file").chmod(0o600)
    assert trees.read(tmp_path / "a") != trees.read(tmp_path / "b")


def test_times_only_if_asked_for(tmp_path: Path) -> None:
    os.utime(tmp_path, (5, 5))
    assert trees.read(tmp_path)["."].mtime == 0
    assert trees.read(tmp_path, times=True)["."].mtime == 5
