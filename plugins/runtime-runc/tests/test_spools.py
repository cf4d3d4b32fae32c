from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from moorage_runtime_runc import spools
from moorage_runtime_runc.spools import Append, Spool


@pytest.fixture
def fd() -> Iterator[int]:
    fd = spools.create()
    yield fd
    os.close(fd)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe2(os.O_CLOEXEC)
    yield ends
    for end in ends:
        os.close(end)


def test_bytes_come_and_go(fd: int, pipe: tuple[int, int]) -> None:
    read, write = pipe
    spool = Spool(fd)
    with pytest.raises(BlockingIOError):
        spool.take(read)
    os.write(write, b"one two")
    assert spool.take(read) == 7 == len(spool)
    spool.begin(Append(4, 0, 1))
    spool.finish()
    assert spool.content() == b"two"
    os.write(write, b" three")
    spool.take(read)
    assert spool.content() == b"two three" == Spool(fd).content()


def test_what_was_begun_is_known_to_the_next(fd: int, pipe: tuple[int, int]) -> None:
    read, write = pipe
    spool = Spool(fd)
    os.write(write, b"one two")
    spool.take(read)
    assert Spool(fd).begun is None
    spool.begin(Append(4, 77, 1234))
    again = Spool(fd)
    assert (again.begun, again.content()) == (Append(4, 77, 1234), b"one two")
    again.finish()
    assert (Spool(fd).begun, Spool(fd).content()) == (None, b"two")


def test_at_its_end_there_is_nothing_left_of_it(fd: int, pipe: tuple[int, int]) -> None:
    read, write = pipe
    spool = Spool(fd)
    for _ in range(100):
        os.write(write, bytes(50_000))
        spool.take(read)
        spool.begin(Append(50_000, 0, 0))
        spool.finish()
    assert os.fstat(fd).st_size < 4096 and len(Spool(fd)) == 0


def test_a_rest_that_always_stays_does_not_make_it_grow(fd: int, pipe: tuple[int, int]) -> None:
    read, write = pipe
    spool = Spool(fd)
    sent, taken = bytearray(), bytearray()
    for number in range(300):
        data = f"{number} ".encode() * 2000
        sent += data
        os.write(write, data)
        spool.take(read)
        taken += spool.content()[: len(data) - 5]
        spool.begin(Append(len(data) - 5, 0, 0))
        spool.finish()
    assert taken + spool.content() == sent
    assert os.fstat(fd).st_size < 1 << 20


class Killed(BaseException):
    """In the middle of something, after which nothing is done any more."""


@pytest.mark.parametrize("call", ["pwrite", "ftruncate"])
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("used", [300_000, 270_000])
def test_killed_at_any_call(
    fd: int, pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, call: str, number: int, after: bool, used: int
) -> None:
    """What is there is either as before ``finish`` or as after it."""
    read, write = pipe
    spool = Spool(fd)
    data = bytes(range(250)) * 1200
    for start in range(0, len(data), 50_000):
        os.write(write, data[start : start + 50_000])
        spool.take(read)
    original, calls = getattr(os, call), 0

    def kill(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls - 1 == number and not after:
            raise Killed
        original(*arguments)
        if calls - 1 == number:
            raise Killed

    append = Append(used, 5, 6)
    spool.begin(append)
    monkeypatch.setattr(os, call, kill)
    with contextlib.suppress(Killed):
        spool.finish()
    monkeypatch.undo()
    again = Spool(fd)
    if again.begun is not None:
        assert (again.begun, again.content()) == (append, data)
    else:
        assert again.content() == data[used:]
