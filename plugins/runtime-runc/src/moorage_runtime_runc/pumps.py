"""Copying from one descriptor to another on the event loop."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import stat
from collections.abc import Callable

log = logging.getLogger(__name__)

_CHUNK = 64 << 10


class Pump:
    """Copies until the source ends, the sink is gone, or it is closed; then closes both descriptors, which it owns.

    Nothing is held back: what was read is written before more is read. Where the sink is gone (EPIPE) the rest of the
    source is read and dropped, because a container must not stop over a log that nobody takes.
    """

    def __init__(self, source: int, sink: int, on_end: Callable[[], None] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._sink = sink
        self._rest = b""
        self._sink_gone = False
        # epoll refuses regular files, and they are always ready.
        self._blocking_sink = not _pollable(sink)
        self._on_end = on_end
        self.done = asyncio.Event()
        os.set_blocking(source, False)
        if not self._blocking_sink:
            os.set_blocking(sink, False)
        self._loop.add_reader(source, self._read)

    @property
    def source(self) -> int:
        return self._source

    def close(self) -> None:
        """Stop now; what is still in the source is lost to the sink."""
        if self.done.is_set():
            return
        self._loop.remove_reader(self._source)
        if not self._blocking_sink:
            self._loop.remove_writer(self._sink)
        self.done.set()
        os.close(self._source)
        os.close(self._sink)
        if self._on_end is not None:
            self._on_end()

    def _read(self) -> None:
        try:
            data = os.read(self._source, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:  # EIO is how a terminal says that its other side is closed
                log.warning("pump: source failed: %s", error)
            data = b""
        if not data:
            self.close()
        elif not self._sink_gone:
            self._rest = data
            self._write()

    def _write(self) -> None:
        try:
            self._rest = self._rest[os.write(self._sink, self._rest) :]
        except BlockingIOError:
            pass  # the writer below tells when there is room again
        except OSError:
            # EPIPE, or a full disk under a log file: see the class.
            self._sink_gone, self._rest = True, b""
        if self._rest:
            self._loop.remove_reader(self._source)
            self._loop.add_writer(self._sink, self._writable)

    def _writable(self) -> None:
        self._loop.remove_writer(self._sink)
        self._write()
        if not self._rest:
            self._loop.add_reader(self._source, self._read)


def _pollable(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or (stat.S_ISCHR(mode) and not _is_null(fd))


def _is_null(fd: int) -> bool:
    # /dev/null takes everything at once, and epoll refuses it.
    return os.fstat(fd).st_rdev == os.makedev(1, 3)
