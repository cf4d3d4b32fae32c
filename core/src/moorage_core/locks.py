"""One daemon per directory: a second one is refused at once, with the first one's pid.

The lock is flock(2) on a file that stays, for a start that fails may take it away but an end need not. Whoever gets the
lock of a file that was removed meanwhile tries again, or two daemons would hold two files of one name.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from moorage_sdk import errors

FILE = ".lock"


class Lock:
    """A directory held until ``release`` or the end of the process."""

    def __init__(self, directory: Path, what: str) -> None:
        """Raises errors.FailedPrecondition naming ``what`` and the holder's pid."""
        self.directory = directory
        self._path = directory / FILE
        self._what = what
        self._fd = -1
        while not self._current():
            self.release()
            self._fd = self._open()
            self._hold()
        text = f"{os.getpid()}\n".encode()
        with suppress(OSError):  # on a full disk the second hears of no pid, and the lock holds all the same
            os.pwrite(self._fd, text, 0)
            os.ftruncate(self._fd, len(text))

    def remove(self) -> None:
        """Unlink the file; the lock is held until ``release`` all the same."""
        with suppress(OSError):
            self._path.unlink()

    def release(self) -> None:
        """Calling it again does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise errors.FailedPrecondition(
                f'{self._what} "{self.directory}": cannot lock: {error.strerror}',
                hint=f'its "{FILE}" must be a file of uid {os.geteuid()}; or give another --{self._what}',
            ) from error

    def _hold(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            self.release()
            raise errors.FailedPrecondition(
                f'{self._what} "{self.directory}": in use by the daemon with pid {pid}',
                hint=f"stop it, or give another --{self._what}",
            ) from None

    def _current(self) -> bool:
        """Whether the file that is held is the one of that name."""
        try:
            return self._fd >= 0 and os.path.samestat(os.fstat(self._fd), self._path.lstat())
        except FileNotFoundError:
            return False
