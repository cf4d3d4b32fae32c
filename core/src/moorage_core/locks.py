"""One daemon per directory: a second one is refused at once, with the first one's pid.

The lock is flock(2) on a file that stays; removing it would let two daemons lock two files of one name.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from moorage_sdk import errors

FILE = ".lock"


class Lock:
    """A directory held until ``release`` or the end of the process."""

    def __init__(self, directory: Path, what: str) -> None:
        """Raises errors.FailedPrecondition naming ``what`` and the holder's pid."""
        path = directory / FILE
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise errors.FailedPrecondition(f'{what} "{directory}": cannot lock: {error.strerror}') from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise errors.FailedPrecondition(
                f'{what} "{directory}": in use by the daemon with pid {pid}', hint=f"stop it, or give another --{what}"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Calling it again does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
