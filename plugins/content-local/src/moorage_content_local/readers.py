"""An open blob."""

from __future__ import annotations

import os
from pathlib import Path

from moorage_sdk import errors
from moorage_sdk.content import Reader
from moorage_sys import faults


class LocalReader(Reader):
    """Reads a file by position. The file may be deleted meanwhile."""

    def __init__(self, path: Path, digest: str) -> None:
        """Raises FileNotFoundError, OSError."""
        self._digest = digest
        self._fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._size = os.fstat(self._fd).st_size

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, size: int) -> bytes:
        if not 0 <= offset <= self._size:
            raise errors.OutOfRange(f'content "{self._digest}": offset {offset} of {self._size}: out of range')
        wanted = min(size, self._size - offset)  # pread allocates what it is asked for
        with faults.translated(f'content "{self._digest}"'):
            data = os.pread(self._fd, wanted, offset)
            # The kernel reads at most 2 GiB at once; and a blob cut off behind our back must not look complete.
            while len(data) < wanted:
                more = os.pread(self._fd, wanted - len(data), offset + len(data))
                if not more:
                    at = offset + len(data)
                    raise errors.DataLoss(f'content "{self._digest}": ends at {at} of {self._size}: data loss')
                data += more
        return data

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
