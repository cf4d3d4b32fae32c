"""From a pipe into a log, entry by entry: nothing is lost or doubled when we are killed at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from moorage_runtime_runc.entries import Format
from moorage_runtime_runc.log_files import LogFile
from moorage_runtime_runc.spools import Append, Spool

log = logging.getLogger(__name__)

_LAST = 16
"""Times that a pipe can be emptied at the end: whoever fills it all the time would never come to one."""


class LogWriter:
    """Writes until the source ends or it is stopped, and first what was left unfinished. Owns none of its parts."""

    def __init__(
        self, name: str, source: int, spool: Spool, file: LogFile, format: Format, on_end: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._name = name
        self._source = source
        self._spool = spool
        self._file = file
        self._format = format
        self._on_end = on_end
        self.done = asyncio.Event()
        self._go_on()
        self._loop.add_reader(source, self._ready)

    def finish(self) -> None:
        """Write what there is, although somebody may have more to say, and stop. Does nothing once it has ended."""
        if self.done.is_set():
            return
        with contextlib.suppress(OSError):  # BlockingIOError, when nothing is left
            for _ in range(_LAST):
                if not self._spool.take(self._source):
                    break
        self._write(ended=True)
        self.stop()

    def stop(self) -> None:
        """Write no more; what is in the source and the spool stays there. Does nothing once it has ended."""
        if not self.done.is_set():
            self._loop.remove_reader(self._source)
            self.done.set()

    def _ready(self) -> None:
        try:
            moved = self._spool.take(self._source)
        except BlockingIOError:
            return
        except OSError as error:
            log.warning("log of %s: %s", self._name, error)
            moved = 0
        self._write(ended=not moved)
        if not moved:
            self.stop()
            self._on_end()

    def _write(self, *, ended: bool) -> None:
        now = time.time_ns()
        text, used = self._format.encode(self._name, self._spool.content(), now, ended=ended)
        if used:
            self._spool.begin(Append(used, self._file.end(), now))
            self._file.append(text)
            self._spool.finish()

    def _go_on(self) -> None:
        if (begun := self._spool.begun) is not None:
            text, _ = self._format.encode(self._name, self._spool.content()[: begun.used], begun.now, ended=True)
            self._file.continued(begun.position, text)
            self._spool.finish()
