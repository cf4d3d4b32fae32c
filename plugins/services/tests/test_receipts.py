from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from moorage_services.receipts import LIMIT, SIZE, Receipts


def digest(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def test_they_are_known_again_by_the_next_daemon(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    first = Receipts(path)
    for number in (1, 2, 2, 3):
        first.add(digest(number))
    second = Receipts(path)  # the first did not get to close it
    assert [number for number in range(5) if digest(number) in second] == [1, 2, 3]
    second.add(digest(4))
    first.close()
    second.close()
    assert path.stat().st_size == 4 * SIZE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert digest(1) not in Receipts()


def test_a_record_that_was_cut_off_is_none(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.write_bytes(digest(1) + digest(2)[:7])
    receipts = Receipts(path)
    assert digest(1) in receipts and len(receipts) == 1
    receipts.add(digest(2))
    receipts.close()
    assert path.read_bytes() == digest(1) + digest(2)


def test_neither_memory_nor_file_grows_without_end(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    receipts = Receipts(path, limit=10)
    for number in range(100):
        receipts.add(digest(number))
        assert path.stat().st_size <= 20 * SIZE
    assert len(receipts) == 10 and digest(99) in receipts and digest(89) not in receipts
    receipts.close()
    again = Receipts(path, limit=10)
    assert digest(99) in again and len(again) == 10
    again.close()
    assert LIMIT == 4096


def test_a_file_that_cannot_be_written_costs_no_event(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    receipts = Receipts(tmp_path / "no" / "such" / "folder")
    receipts.add(digest(1))
    assert digest(1) in receipts and "not read" in caplog.text
    full = Receipts(tmp_path / "taken")
    os.close(full._fd)
    full._fd = os.open("/dev/full", os.O_WRONLY)
    full.add(digest(1))
    assert digest(1) in full and "not written down" in caplog.text
    full.close()
