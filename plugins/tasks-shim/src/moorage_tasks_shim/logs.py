"""The FIFO ``log`` of a bundle: a shim that finds no reader there blocks before it does anything."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path

from moorage_sdk.tasks import Bundle

log = logging.getLogger("moorage.shim")

_MAX_LINE = 16 << 10
_CHUNK = 4 << 10
_LAST_LINES = 256
"""How many may still be unread at the end and are copied all the same."""
_LINE_COST = 0.0005
"""Seconds without reading for each line: a shim that writes without end waits for us, and not everybody for it."""


class ShimLog:
    """Copies what one shim writes into the daemon's log, line by line, until it is closed."""

    def __init__(self, bundle: Bundle) -> None:
        """Make the FIFO if it is not there and open it. Raises OSError."""
        self._name = f"{bundle.namespace}/{bundle.id}"
        self._rest = b""
        path = Path(bundle.path, "log")
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # Read and write, so that the descriptor never reports the end of file: shims open and close it as they like.
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._listen()

    def close(self) -> None:
        """Calling it again does nothing."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            if self._pause is not None:
                self._pause.cancel()
            last = _LAST_LINES
            while last > 0 and (lines := self._read()):
                last -= lines
            os.close(self._fd)
            self._fd = -1

    def _listen(self) -> None:
        self._pause = None
        self._loop.add_reader(self._fd, self._ready)

    def _ready(self) -> None:
        if lines := self._read():
            self._loop.remove_reader(self._fd)
            self._pause = self._loop.call_later(lines * _LINE_COST, self._listen)

    def _read(self) -> int:
        """Copy what is there, at most a chunk; the number of lines."""
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return 0
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _MAX_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in filter(None, lines):
            log.info("%s: %s", self._name, line[:_MAX_LINE].decode("utf-8", "backslashreplace").rstrip())
        return len(lines)
