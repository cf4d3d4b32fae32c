from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moorage_runtime_runc.journals import Journal


def test_what_is_not_acknowledged_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    assert [journal.append(each) for each in (b"a", b"", b"ccc")] == [1, 2, 3]
    journal.acknowledge(1)
    journal.close()
    again = Journal(path)
    assert again.pending == [(2, b""), (3, b"ccc")]
    assert again.append(b"d") == 4
    again.acknowledge(4)
    again.close()
    assert path.stat().st_size == 8
    last = Journal(path)
    assert last.pending == [] and last.append(b"e") == 5  # numbers go on
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    last.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.integers(0, 200))
def test_a_file_cut_anywhere_loses_only_its_end(tmp_path: Path, length: int) -> None:
    path = tmp_path / "j"
    path.unlink(missing_ok=True)
    journal = Journal(path)
    for number in range(5):
        journal.append(bytes([number]) * 10)
    journal.close()
    os.truncate(path, min(length, path.stat().st_size))
    again = Journal(path)
    whole = again.pending
    assert whole == [(number + 1, bytes([number]) * 10) for number in range(len(whole))]
    again.append(b"next")
    again.close()
    final = Journal(path)
    assert final.pending[-1][1] == b"next" and len(final.pending) == len(whole) + 1
    final.close()


def test_a_reader_that_is_always_behind_does_not_let_it_grow(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    for number in range(1, 200):
        assert journal.append(bytes(50_000)) == number
        if number > 1:
            journal.acknowledge(number - 1)
        assert path.stat().st_size < 2 << 20
    journal.append(b"end")
    journal.close()
    again = Journal(path)
    assert again.pending == [(199, bytes(50_000)), (200, b"end")]
    again.acknowledge(200)
    again.close()
    assert path.stat().st_size == 8 and [each.name for each in tmp_path.iterdir()] == ["j"]


def test_a_record_that_does_not_fit_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(b"whole")
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[: len(data) // 2], at))
    with pytest.raises(OSError, match="disk full"):
        journal.append(b"x" * 100)
    monkeypatch.undo()
    journal.append(b"after")
    journal.close()
    again = Journal(tmp_path / "j")
    assert again.pending == [(1, b"whole"), (2, b"after")]
    again.close()


def test_a_disk_too_full_to_rewrite_the_file_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    for _ in range(30):
        journal.append(bytes(50_000))
    real, descriptors = os.pwrite, len(list(Path("/proc/self/fd").iterdir()))

    def full(fd: int, data: bytes, at: int) -> int:
        if len(data) > 1000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data, at)

    monkeypatch.setattr(os, "pwrite", full)
    for number in range(1, 29):
        journal.acknowledge(number)
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    monkeypatch.undo()
    journal.close()
    again = Journal(path)
    assert [number for number, _ in again.pending] == [29, 30]
    again.close()
