"""Replacing small files."""

import os
import stat
from pathlib import Path

import pytest

from moorage_sys import files


def test_a_file_is_made_and_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    files.replace(path, b"a longer one")
    files.replace(path, b"two")
    assert path.read_bytes() == b"two"
    assert [each.name for each in tmp_path.iterdir()] == ["f"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_fails_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    files.replace(path, b"one")

    def refuse(fd: int) -> None:
        raise OSError(5, "input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="input/output error"):
        files.replace(path, b"two", flush=True)
    assert path.read_bytes() == b"one"
    files.replace(path, b"three")
    assert [each.name for each in tmp_path.iterdir()] == ["f"]
    assert path.read_bytes() == b"three"


def test_only_with_flush_are_bytes_forced_to_the_disk_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "f", []
    monkeypatch.setattr(os, "fsync", lambda fd: seen.append((path.exists(), os.fstat(fd).st_size)))
    files.replace(path, b"one")
    assert seen == []
    path.unlink()
    files.replace(path, b"two", flush=True)
    assert seen == [(False, 3)]


def test_a_link_where_the_draft_goes_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"theirs")
    (tmp_path / ".f.new").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"\.f\.new"):
        files.replace(tmp_path / "f", b"ours")
    assert (tmp_path / "elsewhere").read_bytes() == b"theirs"
