"""Events that the daemon has not acknowledged yet, on disk, so that they outlive this process.

A file holds the number of the last acknowledged event and then one record each: number, length, bytes. Numbers never
start over while the file lives, which lets a receiver drop what it got twice.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

_HEAD = struct.Struct(">Q")
_RECORD = struct.Struct(">QI")


class Journal:
    """Appends and acknowledges. It is written without fsync: only our death is to be survived, not the machine's."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._pending: list[tuple[int, bytes]] = []
        self._last = 0
        self._load()

    @property
    def pending(self) -> list[tuple[int, bytes]]:
        """Numbers and contents that are not acknowledged, oldest first, as found when the journal was opened."""
        return list(self._pending)

    def append(self, content: bytes) -> int:
        """Keep ``content`` and return its number. Raises OSError."""
        number = self._last + 1
        record = _RECORD.pack(number, len(content)) + content
        self._write(record, os.lseek(self._fd, 0, os.SEEK_END))
        self._last = number
        return number

    def acknowledge(self, number: int) -> None:
        """Everything up to ``number`` has arrived. Raises OSError."""
        self._write(_HEAD.pack(number), 0)
        if number == self._last:
            os.ftruncate(self._fd, _HEAD.size)

    def close(self) -> None:
        os.close(self._fd)

    def _write(self, data: bytes, offset: int) -> None:
        if os.pwrite(self._fd, data, offset) != len(data):
            # A record cut off by a full disk would make what follows unreadable.
            os.ftruncate(self._fd, max(offset, _HEAD.size))
            raise OSError("journal: disk full")

    def _load(self) -> None:
        data = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        if len(data) < _HEAD.size:
            self._write(_HEAD.pack(0), 0)
            return
        acknowledged = self._last = _HEAD.unpack_from(data)[0]
        at = _HEAD.size
        while at + _RECORD.size <= len(data):
            number, length = _RECORD.unpack_from(data, at)
            if at + _RECORD.size + length > len(data):
                break
            at += _RECORD.size + length
            self._last = max(self._last, number)
            if number > acknowledged:
                self._pending.append((number, data[at - length : at]))
        os.ftruncate(self._fd, at)  # a record that was not finished when the writer died was never announced
