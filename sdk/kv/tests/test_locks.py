import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from moorage_kv import locks
from moorage_sdk import errors

HOLDER = """
import sys, time
from pathlib import Path
from moorage_kv import locks
fd = locks.acquire(Path(sys.argv[1]))
print(flush=True)
time.sleep(60)
"""


def test_a_second_opener_is_told_who_has_it_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            started = time.monotonic()
            with pytest.raises(errors.FailedPrecondition, match=f"in use by process {child.pid}"):
                locks.acquire(tmp_path / "lock")
            assert time.monotonic() - started < 1
        finally:
            child.kill()
    os.close(locks.acquire(tmp_path / "lock"))


def test_the_descriptor_does_not_reach_children(tmp_path: Path) -> None:
    fd = locks.acquire(tmp_path / "lock")
    try:
        assert not os.get_inheritable(fd)
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    finally:
        os.close(fd)


def test_a_full_disk_does_not_keep_it_from_being_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Space is freed by deleting, and for that the store must be open."""

    def full(fd: int, data: bytes, at: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    fd = locks.acquire(tmp_path / "lock")
    with pytest.raises(errors.FailedPrecondition, match="in use by process unknown"):
        locks.acquire(tmp_path / "lock")
    os.close(fd)


def test_a_longer_number_of_before_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("99999999999999\n")
    os.close(locks.acquire(tmp_path / "lock"))
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
