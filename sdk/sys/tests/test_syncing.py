import os
from pathlib import Path

import pytest

from moorage_sys import syncing


def test_sync_takes_paths_and_descriptors(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    syncing.sync_directory(tmp_path)
    syncing.sync_filesystem(tmp_path)
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        syncing.sync_filesystem(fd)
    finally:
        os.close(fd)


def test_errors_surface(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        syncing.sync_filesystem(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        syncing.sync_directory(tmp_path / "file")
    with pytest.raises(OSError):
        syncing.sync_filesystem(-1)
