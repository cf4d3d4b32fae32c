"""Signals of the daemon.

Handlers are Python's and not asyncio's, so that they also run while the loop is busy making plugins.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from types import FrameType

from moorage_core import processes

STOPPING = (signal.SIGTERM, signal.SIGINT)
HARMLESS = (signal.SIGHUP, signal.SIGPIPE)
"""Handled by doing nothing, for SIG_IGN would be inherited by every child, down to the processes of containers."""

IMPATIENCE = 0.5
"""Seconds after a request to stop before another one means a person who will not wait. Until then it is the same one:
``timeout`` and service managers signal the process and then its whole group, and such a daemon shall still clean up."""

log = logging.getLogger(__name__)


class Signals:
    """SIGTERM and SIGINT stop, a later second one at once; SIGUSR1 dumps stacks; SIGHUP and SIGPIPE do nothing."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event: asyncio.Event | None = None
        self._since = 0.0
        self.stopping = False

    def install(self) -> None:
        """For the main thread, before anything that may take long."""
        for number in STOPPING:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGUSR1, self._dump)
        for number in HARMLESS:
            signal.signal(number, _ignore)

    def attach(self) -> asyncio.Event:
        """An event of the running loop that is set when the daemon shall stop, at once if that was asked before."""
        self._loop, self._event = asyncio.get_running_loop(), asyncio.Event()
        self._wake_up()
        if self.stopping:
            self._event.set()
        return self._event

    def _wake_up(self) -> None:
        """Let signals wake the loop. One that another thread got, or that came a moment before the loop went to sleep,
        would otherwise wait with it.
        """
        assert self._loop is not None
        reader, writer = self._sockets = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        self._loop.add_reader(reader, reader.recv, 4096)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.stopping:
            if now - self._since >= IMPATIENCE:
                processes.leave(1)
            return
        self.stopping, self._since = True, now
        if self._loop and self._event and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    def _dump(self, number: int, frame: FrameType | None) -> None:
        try:
            processes.dump_stacks(self._name, asyncio.all_tasks(self._loop) if self._loop else ())
        except Exception:  # it would surface in whatever code the signal interrupted
            log.exception("cannot dump the stacks")


def _ignore(number: int, frame: FrameType | None) -> None:
    """Does nothing."""
