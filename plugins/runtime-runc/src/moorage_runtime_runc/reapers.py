"""Learning how processes end: our children, orphans that became ours, and those of an earlier monitor.

Every process we care about is watched through a pidfd, so a recycled pid is never mistaken for it. As a subreaper we
also get orphans we never heard of; they are reaped, but not while a command runs that may have started them and has
not told us yet: its exit status would be gone before anybody asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from moorage_sys import pidfds

log = logging.getLogger(__name__)

UNKNOWN = 255
"""The exit status of a process whose end nobody could see (UnknownExitStatus in containerd)."""

PATIENCE = 5.0
"""Seconds that whoever reaps a process for us gets to tell how it ended."""

_SWEEP_DELAY = 0.05


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: exit code, or 128 + signal, or ``UNKNOWN``; and when, in nanoseconds since the epoch."""

    code: int
    at: int


@dataclass(slots=True, eq=False)
class Watch:
    """A process being watched. ``ended`` resolves when it has ended and was reaped."""

    pid: int
    fd: int
    ended: asyncio.Future[Ended]
    reaped_as: str = ""

    def signal(self, number: int) -> None:
        """Raises ProcessLookupError if it has ended, OSError."""
        if self.ended.done():
            raise ProcessLookupError(f"process {self.pid} has ended")
        pidfds.send_signal(self.fd, number)


def lost(pid: int) -> Watch:
    """A process that has ended while nobody watched."""
    ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
    ended.set_result(Ended(UNKNOWN, time.time_ns()))
    return Watch(pid, -1, ended)


class Reaper:
    """Must be started on a running loop of the main thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watches: dict[int, Watch] = {}
        self._orphans: dict[int, frozenset[object]] = {}
        self._holds: set[object] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._hangups = select.epoll()
        self._waiting: dict[int, Watch] = {}
        self._ends: dict[str, Ended] = {}

    def start(self) -> None:
        self._loop.add_signal_handler(signal.SIGCHLD, self._schedule)
        self._loop.add_reader(self._hangups.fileno(), self._hung_up)
        self._schedule()

    def close(self) -> None:
        """Watch nothing any more; the processes live on. Closing twice does no harm."""
        if self._hangups.closed:
            return
        self._loop.remove_signal_handler(signal.SIGCHLD)
        self._loop.remove_reader(self._hangups.fileno())
        if self._sweeping is not None:
            self._sweeping.cancel()
        for watch in list(self._watches.values()):
            self._forget(watch)
            watch.ended.cancel()
        self._hangups.close()

    def watch(self, pid: int, started: int | None = None) -> Watch:
        """Watch a process, a zombie too. With ``started`` it must be the one that began then (``pidfds.start_time``).

        Raises ProcessLookupError if there is none.
        """
        return self.adopt(pid, os.pidfd_open(pid) if started is None else pidfds.open_checked(pid, started))

    def adopt(self, pid: int, fd: int, reaped_as: str = "") -> Watch:
        """Watch the process that a pidfd stands for, which is owned from now on; it may have ended long ago.

        ``reaped_as`` is its name if somebody reaps it who will call ``told``.
        """
        watch = Watch(pid, fd, self._loop.create_future(), reaped_as)
        self._watches[pid] = watch
        self._orphans.pop(pid, None)
        self._loop.add_reader(fd, self._readable, watch)
        return watch

    def told(self, name: str, code: int, at: int) -> None:
        """The parent of a process has learned how it ended."""
        self._ends[name] = Ended(code, at)
        for watch in [each for each in self._watches.values() if each.reaped_as == name]:
            self._finish(watch, code, at)

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Inside, unknown zombies stay zombies, for ``watch`` to find."""
        token = object()
        self._holds.add(token)
        try:
            yield
        finally:
            self._holds.discard(token)
            if self._orphans:
                self._schedule()

    def _readable(self, watch: Watch) -> None:
        try:
            result = os.waitid(os.P_PIDFD, watch.fd, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            self._not_ours(watch)
            return
        if result is not None:
            self._finish(watch, _code(result))

    def _not_ours(self, watch: Watch) -> None:
        """A process of an earlier monitor has ended, and somebody else reaps it."""
        self._loop.remove_reader(watch.fd)
        if pidfds.has_exit_info() and pidfds.is_running(watch.fd) and pidfds.exit_info(watch.fd) is None:
            # A zombie: the kernel tells the status once its parent has reaped it. Its pidfd stays readable until
            # then, so the loop's own epoll would spin; a registration without events reports the hang-up alone.
            self._waiting[watch.fd] = watch
            self._hangups.register(watch.fd, 0)
            return
        if watch.reaped_as and not pidfds.has_exit_info():
            if (known := self._ends.get(watch.reaped_as)) is not None:
                self._finish(watch, known.code, known.at)
            else:
                self._loop.call_later(PATIENCE, self._give_up, watch)
            return
        self._finish(watch, self._told(watch))

    def _give_up(self, watch: Watch) -> None:
        if not watch.ended.done():
            self._finish(watch, self._told(watch))

    def _hung_up(self) -> None:
        for fd, _ in self._hangups.poll(0):
            watch = self._waiting.get(fd)
            if watch is not None:
                self._finish(watch, self._told(watch))

    def _told(self, watch: Watch) -> int:
        known = pidfds.exit_info(watch.fd) if pidfds.has_exit_info() else None
        if known is None:
            log.warning("process %d: has ended as nobody's child, its status is told as %d", watch.pid, UNKNOWN)
        return UNKNOWN if known is None else known.code

    def _finish(self, watch: Watch, code: int, at: int = 0) -> None:
        self._forget(watch)
        self._ends.pop(watch.reaped_as, None)
        if not watch.ended.done():
            watch.ended.set_result(Ended(code, at or time.time_ns()))

    def _forget(self, watch: Watch) -> None:
        self._loop.remove_reader(watch.fd)
        if self._waiting.pop(watch.fd, None) is not None:
            self._hangups.unregister(watch.fd)
        if self._watches.get(watch.pid) is watch:
            del self._watches[watch.pid]
        os.close(watch.fd)

    def _schedule(self) -> None:
        # Many children may end at once and every sweep reads the whole list, so they share one.
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(_SWEEP_DELAY, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        for pid in _children() - self._watches.keys():
            self._adopt(pid)

    def _adopt(self, pid: int) -> None:
        with contextlib.suppress(ChildProcessError):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return
            suspects = self._orphans.setdefault(pid, frozenset(self._holds))
            if suspects & self._holds:
                return
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
        self._orphans.pop(pid, None)


def _code(result: os.waitid_result) -> int:
    return result.si_status if result.si_code == os.CLD_EXITED else 128 + result.si_status


def _children() -> set[int]:
    """Pids of our children, ended ones included (proc_pid_task_tid_children(5)); they belong to single threads."""
    found: set[int] = set()
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.update(map(int, (thread / "children").read_bytes().split()))
    return found
