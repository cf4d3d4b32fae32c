"""Events that the daemon has not acknowledged yet, on disk, so that they outlive this process.

A file holds the number of the last acknowledged event and then one record each: number, length, bytes. Numbers never
start over while the file lives, which lets a receiver drop what it got twice.
"""

from __future__ import annotations

import errno
import logging
import os
import struct
from collections import deque
from pathlib import Path

log = logging.getLogger(__name__)

_HEAD = struct.Struct(">Q")
_RECORD = struct.Struct(">QI")
_COMPACT = 1 << 20
"""Bytes of acknowledged records that are worth rewriting the file for."""


class Journal:
    """Appends and acknowledges. It is written without fsync: only our death is to be survived, not the machine's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = _open(path)
        self._pending: list[tuple[int, bytes]] = []
        self._ends: deque[tuple[int, int]] = deque()
        self._last = 0
        self._end = _HEAD.size
        self._load()

    @property
    def pending(self) -> list[tuple[int, bytes]]:
        """Numbers and contents that are not acknowledged, oldest first, as found when the journal was opened."""
        return list(self._pending)

    @property
    def last(self) -> int:
        """The number of the newest event there ever was."""
        return self._last

    def append(self, content: bytes) -> int:
        """Keep ``content`` and return its number. Raises OSError."""
        number = self._last + 1
        self._write(_RECORD.pack(number, len(content)) + content, self._end)
        self._last = number
        self._end += _RECORD.size + len(content)
        self._ends.append((number, self._end))
        return number

    def acknowledge(self, number: int) -> None:
        """Everything up to ``number`` has arrived. Raises OSError."""
        self._write(_HEAD.pack(number), 0)
        done = _HEAD.size
        while self._ends and self._ends[0][0] <= number:
            done = self._ends.popleft()[1]
        if not self._ends:
            os.ftruncate(self._fd, _HEAD.size)
            self._end = _HEAD.size
        elif done > _COMPACT:
            self._compact(number, done)

    def close(self) -> None:
        os.close(self._fd)

    def _compact(self, number: int, done: int) -> None:
        """Drop what lies before ``done``. A daemon that is always one event behind would let the file grow for ever."""
        partial = self._path.with_name(f"{self._path.name}.partial")
        data = _HEAD.pack(number) + os.pread(self._fd, self._end - done, done)
        partial.unlink(missing_ok=True)
        fd = _open(partial)
        try:
            if os.pwrite(fd, data, 0) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(partial))
            partial.replace(self._path)
        except OSError as error:
            os.close(fd)
            log.warning("journal: not rewritten: %s", error)  # the old file is as good as before
            return
        os.close(self._fd)
        shift = done - _HEAD.size
        self._fd, self._end = fd, self._end - shift
        self._ends = deque((each, end - shift) for each, end in self._ends)

    def _write(self, data: bytes, offset: int) -> None:
        if os.pwrite(self._fd, data, offset) != len(data):
            # A record cut off by a full disk would make what follows unreadable.
            os.ftruncate(self._fd, max(offset, _HEAD.size))
            raise OSError(errno.ENOSPC, "journal: disk full", str(self._path))

    def _load(self) -> None:
        data = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        if len(data) < _HEAD.size:
            self._write(_HEAD.pack(0), 0)
            return
        acknowledged = self._last = _HEAD.unpack_from(data)[0]
        while self._end + _RECORD.size <= len(data):
            number, length = _RECORD.unpack_from(data, self._end)
            if self._end + _RECORD.size + length > len(data):
                break
            self._end += _RECORD.size + length
            self._last = max(self._last, number)
            if number > acknowledged:
                self._pending.append((number, data[self._end - length : self._end]))
                self._ends.append((number, self._end))
        os.ftruncate(self._fd, self._end)  # a record that was not finished when the writer died was never announced


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
