import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from moorage_core.locks import Lock
from moorage_sdk import errors


def test_the_second_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    lock = Lock(tmp_path, "root")
    with pytest.raises(errors.FailedPrecondition) as caught:
        Lock(tmp_path, "root")
    assert str(caught.value) == (
        f'root "{tmp_path}": in use by the daemon with pid {os.getpid()} (stop it, or give another --root)'
    )
    lock.release()
    lock.release()
    Lock(tmp_path, "root").release()


def test_a_file_that_is_taken_away_meanwhile_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opened it before would hold a file without a name, and the next daemon another one."""
    first, flock = Lock(tmp_path, "root"), fcntl.flock

    def removing(fd: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        first.remove()
        first.release()
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", removing)
    second = Lock(tmp_path, "root")
    with pytest.raises(errors.FailedPrecondition, match="in use"):
        Lock(tmp_path, "root")
    second.release()


def test_a_file_of_somebody_else_is_told_with_a_next_step(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(errors.FailedPrecondition, match=r'cannot lock: Is a directory \(its ".lock" must be a file of'):
        Lock(tmp_path, "root")


def test_a_full_disk_does_not_keep_it_from_being_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: bytes, at: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    lock = Lock(tmp_path, "root")
    with pytest.raises(errors.FailedPrecondition, match="in use by the daemon with pid unknown"):
        Lock(tmp_path, "root")
    lock.release()


def test_a_longer_pid_of_before_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("99999999999999\n")
    lock = Lock(tmp_path, "root")
    assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
    lock.release()


def test_the_file_is_private_and_not_inherited(tmp_path: Path) -> None:
    lock = Lock(tmp_path, "state")
    assert stat.S_IMODE((tmp_path / ".lock").stat().st_mode) == 0o600
    assert not os.get_inheritable(lock._fd)
    lock.release()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("data")
    (tmp_path / ".lock").symlink_to(target)
    with pytest.raises(errors.FailedPrecondition, match="cannot lock"):
        Lock(tmp_path, "root")
    assert target.read_text() == "data"


def test_a_holder_that_did_not_write_its_pid_yet_is_unknown(tmp_path: Path) -> None:
    lock = Lock(tmp_path, "root")
    (tmp_path / ".lock").write_text("")
    with pytest.raises(errors.FailedPrecondition, match="pid unknown"):
        Lock(tmp_path, "root")
    lock.release()
