"""Moving bytes from one descriptor to another on the event loop.

By splice(2), so they are never in our memory only: whoever kills us finds each of them on one side or the other.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import select
import stat
from collections.abc import Callable

log = logging.getLogger(__name__)

_CHUNK = 64 << 10
_MOVES = 16
"""At once, before others have their turn. A terminal gives 4 KiB at a time, so that one move for each turn of the loop
made it half as fast, and a pipe two thirds."""


class Full(Exception):
    """There is something to move, but no room for it."""


class Pump:
    """Moves bytes until the source ends or it is stopped. It owns neither descriptor.

    Both are made non-blocking, so neither may share its description with a container. Where the sink is gone (EPIPE),
    or is None, what comes is dropped, because a container must not stop over output that nobody takes.
    """

    def __init__(self, source: int, sink: int | None, on_end: Callable[[], None] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._sink = sink
        self._on_end = on_end
        self._move: Callable[[], int] = self._drop if sink is None else self._splice
        self._rest = b""
        self._waits_for_sink = False
        self.done = asyncio.Event()
        os.set_blocking(source, False)
        if sink is not None and _pollable(sink):
            os.set_blocking(sink, False)
        self._loop.add_reader(source, self._ready)

    def stop(self) -> None:
        """Move no more; what is in the source stays there. Does nothing once it has ended."""
        if self.done.is_set():
            return
        self._loop.remove_reader(self._source)
        self._wait_for_sink(False)
        self.done.set()

    def _end(self) -> None:
        self.stop()
        if self._on_end is not None:
            self._on_end()

    def _ready(self) -> None:
        try:
            for _ in range(_MOVES):
                if not self._move():
                    self._end()
                    return
        except Full:
            self._wait_for_sink(True)
        except BlockingIOError:
            self._wait_for_sink(False)
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        if error.errno == errno.EINVAL and self._move == self._splice:
            # Terminals before Linux 5.11, files that are appended to, devices.
            self._move = self._copy
        elif error.errno in (errno.EPIPE, errno.ENOSPC):
            log.warning("pump: sink failed, what follows is dropped: %s", error)
            self._rest, self._move = b"", self._drop
            self._wait_for_sink(False)
        else:
            # EIO is how a terminal says that its other side is closed.
            if error.errno != errno.EIO:
                log.warning("pump: %s", error)
            self._end()

    def _wait_for_sink(self, wanted: bool) -> None:
        # Never for both: a source that has something would wake us all the time while there is no room for it.
        if self._sink is None or wanted == self._waits_for_sink:
            return
        self._waits_for_sink = wanted
        if wanted:
            self._loop.remove_reader(self._source)
            self._loop.add_writer(self._sink, self._ready)
        else:
            self._loop.remove_writer(self._sink)
            if not self.done.is_set():
                self._loop.add_reader(self._source, self._ready)

    # The ways to move. Each returns how much, 0 at the end, and raises Full, BlockingIOError (nothing there), OSError.

    def _splice(self) -> int:
        assert self._sink is not None
        try:
            return os.splice(self._source, self._sink, _CHUNK, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            # It does not tell which of the two was not ready.
            if _readable(self._source):
                raise Full from None
            raise

    def _copy(self) -> int:
        assert self._sink is not None
        if not self._rest:
            self._rest = os.read(self._source, _CHUNK)
        if not self._rest:
            return 0
        try:
            written = os.write(self._sink, self._rest)
        except BlockingIOError:
            raise Full from None
        self._rest = self._rest[written:]
        if self._rest:
            raise Full
        return written

    def _drop(self) -> int:
        return len(os.read(self._source, _CHUNK))


def _readable(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def _pollable(fd: int) -> bool:
    """Not so for files and /dev/null, which take everything at once; epoll refuses them."""
    status = os.fstat(fd)
    return not stat.S_ISREG(status.st_mode) and status.st_rdev != os.makedev(1, 3)
