from __future__ import annotations

import os

import pytest

from moorage_runtime_runc.descriptors import Descriptors


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_what_is_left_is_closed_once() -> None:
    with Descriptors() as ours:
        read, write = ours.pipe()
        ours.close(read)
        reused = os.open(os.devnull, os.O_RDONLY)
        assert reused == read  # the number is somebody else's now
        ours.close(read)
        assert is_open(reused)
        assert write in ours and len(ours) == 1
    assert not is_open(write) and is_open(reused)
    os.close(reused)


def test_what_was_taken_stays_open() -> None:
    with Descriptors() as ours:
        read, write = ours.pipe()
        taken = ours.take(write)
    assert is_open(taken) and not is_open(read)
    os.close(taken)
    with pytest.raises(KeyError):
        ours.take(taken)
