"""The file that a container's log is appended to."""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path

from moorage_sdk import errors

log = logging.getLogger(__name__)


class LogFile:
    """Appends what the disk takes and drops the rest, for a container must not stop over it. Owns its descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.dropped = 0

    def end(self) -> int:
        return os.fstat(self.fd).st_size

    def append(self, text: bytes) -> None:
        """Write ``text``, or as many whole lines of it as there is room for. Never raises for a disk that refuses."""
        written = 0
        try:
            while written < len(text):
                written += os.write(self.fd, memoryview(text)[written:])
        except OSError as error:
            self._drop(text, written, error)
            return
        if self.dropped:
            log.warning('log "%s": written to again, after %d bytes that are lost', _name(self.fd), self.dropped)
            self.dropped = 0

    def continued(self, position: int, text: bytes) -> None:
        """Append what is missing of ``text`` where somebody who was killed had begun to, at ``position``."""
        there = self._read(position, len(text))
        # If it is something else, the file is another or was cut off: rather twice than never.
        self.append(text[len(there) :] if text.startswith(there) else text)

    def _read(self, position: int, length: int) -> bytes:
        fd = os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(fd, length, position)
        finally:
            os.close(fd)

    def _drop(self, text: bytes, written: int, error: OSError) -> None:
        if not self.dropped:
            log.error('log "%s": %s: what follows is lost until there is room again', _name(self.fd), error.strerror)
        whole = text.rfind(b"\n", 0, written) + 1
        if written > whole:
            # No half of an entry, to which the next one would be glued.
            os.ftruncate(self.fd, self.end() - (written - whole))
        self.dropped += len(text) - whole


def open_log(path: Path) -> int:
    """Open a log for appending, making it and its folder where they are not there. Links and anything but files are
    refused: a log's path is for whoever asks for a container to choose, but not what lies there.

    Raises errors.InvalidArgument, OSError.
    """
    if ".." in path.parts:
        raise errors.InvalidArgument(f'log "{path}": ".." in its path: invalid argument')
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o640)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise _refused(path) from error
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _refused(path)
    return fd


def _refused(path: Path) -> errors.InvalidArgument:
    return errors.InvalidArgument(f'log "{path}": not a regular file: invalid argument')


def _name(fd: int) -> str:
    return str(Path(f"/proc/self/fd/{fd}").readlink())
