"""Where events go."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path

from moorage_sdk.events import Envelope, Sink
from moorage_sink_log import lines

_MODE = 0o640
_log = logging.getLogger("moorage.events")


class LogSink(Sink):
    """Writes events to the logging system, logger ``moorage.events``, at ``level``."""

    def __init__(self, level: int) -> None:
        self._level = level

    def deliver(self, envelope: Envelope) -> None:
        event = envelope.event
        _log.log(self._level, "%s %s %s", envelope.namespace, envelope.topic, event.type_url)


class FileSink(Sink):
    """Appends events to the file ``path``, made with mode 0640; opened anew after it was moved or removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._fd = self._open()

    def deliver(self, envelope: Envelope) -> None:
        line = (lines.encode(envelope) + "\n").encode()
        with self._lock:
            if self._moved():
                # First the new one: if it cannot be opened, the number of a closed one would soon be somebody else's.
                old, self._fd = self._fd, self._open()
                os.close(old)
            self._write(line)

    def close(self) -> None:
        """Close the file. Calling it again does nothing."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(self._path, flags | os.O_CREAT | os.O_EXCL, _MODE)
        except FileExistsError:
            return os.open(self._path, flags)
        os.fchmod(fd, _MODE)  # the daemon's umask takes the group away
        return fd

    def _moved(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return not os.path.samestat(os.fstat(self._fd), self._path.stat(follow_symlinks=False))
        return True

    def _write(self, line: bytes) -> None:
        # A short write on a full disk would join this line with the next one.
        size = os.fstat(self._fd).st_size
        try:
            if os.write(self._fd, line) == len(line):
                return
        except OSError:
            os.ftruncate(self._fd, size)
            raise
        os.ftruncate(self._fd, size)
        raise OSError(f"{self._path}: short write, no space left")
