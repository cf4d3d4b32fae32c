import os
import stat
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


@pytest.mark.parametrize("replacement", ["link", "file", "nothing"])
def test_a_directory_that_is_replaced_meanwhile_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replacement: str
) -> None:
    """The tree may be a running container's, and what it links to the host's."""
    (tmp_path / "host").mkdir()
    for number in range(10):
        (tmp_path / "host" / str(number)).touch()
    (tmp_path / "tree/inner").mkdir(parents=True)
    real = stat.S_ISDIR

    def replacing(mode: int) -> bool:
        inner = tmp_path / "tree/inner"
        if real(mode) and inner.is_dir() and not inner.is_symlink() and next(seen) == "inner":
            inner.rmdir()
            if replacement == "link":
                inner.symlink_to(tmp_path / "host")
            elif replacement == "file":
                inner.touch()
        return real(mode)

    seen = iter(["tree", "inner", ""])
    with monkeypatch.context() as patched:
        patched.setattr(usages.stat, "S_ISDIR", replacing)
        assert usages.of(tmp_path / "tree").inodes == 2


def test_depth_and_descriptors(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(300):
        deep = deep / "d"
        deep.mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert usages.of(tmp_path).inodes == 301
    assert len(list(Path("/proc/self/fd").iterdir())) == before
