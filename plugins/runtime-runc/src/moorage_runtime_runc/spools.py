"""Output on its way into a file, in memory that outlives its owner.

A memfd of which somebody else has a duplicate. The kernel moves bytes into it straight from a pipe, so each is either
there or still in the pipe, and what is about to be appended to the file is noted beforehand: whoever goes on after a
SIGKILL knows what was under way and looks in the file how far it came.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

_CHUNK = 64 << 10

_STATE = struct.Struct("<QQQQ")
"""Where the content starts, and of an ``Append`` that was begun: used (0 for none), position, now."""

_START = 64
_CROWDED = 256 << 10


@dataclass(frozen=True, slots=True)
class Append:
    """The first ``used`` bytes go to ``position`` of the file, with ``now`` as their time in nanoseconds."""

    used: int
    position: int
    now: int


class Spool:
    """Does not own ``fd``."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._end = max(os.fstat(fd).st_size, _START)
        self._first: int
        self._first, used, position, now = _STATE.unpack(os.pread(fd, _STATE.size, 0).ljust(_STATE.size, b"\0"))
        if not _START <= self._first <= self._end:
            self._first = _START  # new, or cut off and killed before that was noted
        self.begun = Append(used, position, now) if 0 < used <= len(self) else None
        self._note()  # before anything comes: with more content, an old note would seem to be about it

    def __len__(self) -> int:
        return self._end - self._first

    def take(self, source: int) -> int:
        """Move what there is from a pipe, at most 64 KiB; 0 when it has ended. Raises BlockingIOError, OSError."""
        moved: int = os.splice(source, self._fd, _CHUNK, offset_dst=self._end, flags=os.SPLICE_F_NONBLOCK)
        self._end += moved
        return moved

    def content(self) -> bytes:
        return os.pread(self._fd, len(self), self._first)

    def begin(self, append: Append) -> None:
        """From now on, and until ``finish``, the file may have these bytes or a part of them."""
        self.begun = append
        self._note()

    def finish(self) -> None:
        """The bytes are in the file: forget them."""
        assert self.begun is not None
        self._first += self.begun.used
        self.begun = None
        if self._first == self._end:
            # The order matters: with nothing behind it, where the content starts is of no meaning.
            os.ftruncate(self._fd, _START)
            self._first = self._end = _START
        self._note()
        if self._first - _START > _CROWDED and len(self) < self._first - _START:
            self._move()

    def _move(self) -> None:
        """Bring the rest to the start, over what is done with, or it would wander off for ever."""
        rest = self.content()
        os.pwrite(self._fd, rest, _START)
        self._end = _START + len(rest)
        os.ftruncate(self._fd, self._end)
        self._first = _START
        self._note()

    def _note(self) -> None:
        begun = self.begun or Append(0, 0, 0)
        os.pwrite(self._fd, _STATE.pack(self._first, begun.used, begun.position, begun.now), 0)


def create() -> int:
    """The memory of a new spool. Raises OSError."""
    return os.memfd_create("spool", os.MFD_CLOEXEC)
