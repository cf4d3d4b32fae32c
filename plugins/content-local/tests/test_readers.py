import os
from pathlib import Path

import pytest

from moorage_content_local.readers import LocalReader
from moorage_sdk import errors


def test_symbolic_link_is_no_blob(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError):
        LocalReader(tmp_path / "link", "sha256:x")


def test_blob_cut_off_behind_our_back_does_not_look_complete(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(100))
    with LocalReader(tmp_path / "file", "sha256:x") as reader:
        os.truncate(tmp_path / "file", 60)
        assert len(reader.read_at(0, 50)) == 50
        with pytest.raises(errors.DataLoss, match="ends at 60 of 100"):
            reader.read_at(0, 100)


def test_asking_for_more_than_there_is_takes_no_memory_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"whole")
    asked: list[int] = []
    real = os.pread

    def recorded(fd: int, size: int, offset: int) -> bytes:
        asked.append(size)
        return real(fd, size, offset)

    monkeypatch.setattr(os, "pread", recorded)
    with LocalReader(tmp_path / "file", "sha256:x") as reader:
        assert reader.read_at(1, 1 << 62) == b"hole"
        assert reader.read_at(5, 1 << 62) == b""
    assert asked == [4, 0]
