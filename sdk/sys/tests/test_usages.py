import os
from pathlib import Path

import pytest

from moorage_sys import usages


def test_counts_blocks_and_each_inode_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/data").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to("sub/data")
    os.link(tmp_path / "sub/data", tmp_path / "same")
    files = [tmp_path, tmp_path / "sub", tmp_path / "sub/data", tmp_path / "link"]
    assert usages.of(tmp_path) == usages.Usage(sum(file.lstat().st_blocks * 512 for file in files), 4)


def test_holes_take_no_space(tmp_path: Path) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 30)
    assert usages.of(tmp_path).size < 1 << 20


def test_file_and_absent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert usages.of(tmp_path / "file").inodes == 1
    with pytest.raises(FileNotFoundError):
        usages.of(tmp_path / "absent")
