"""Kernels that do not tell how a process ended which is nobody's child (before Linux 6.15), on the daemon's side.

There the daemon is a subreaper, so that what a monitor leaves which it has itself started becomes its child. It takes
the statuses and tells them to the monitor's successor. It must not take those of its own helpers, which whoever started
them waits for; so it touches nothing but what it has a descriptor of, and what is certainly not its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from moorage_runtime_runc import escrows
from moorage_sys import pidfds, processes

log = logging.getLogger(__name__)

_SWEEP = 2.0
"""Seconds between two looks for children that nobody has a descriptor of."""

Tell = Callable[[str, int, int], None]


class Orphans:
    """``tell`` is called with the name of a process, its exit code, and when it ended, in nanoseconds."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._watched: dict[str, int] = {}
        self._monitors: set[int] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self.needed = not pidfds.has_exit_info()
        self.ended: dict[str, tuple[int, int]] = {}
        """Code and time by name, for as long as somebody may ask."""
        if self.needed:
            processes.set_subreaper()
            _warn()

    def adopt(self, monitor: int, held: Mapping[str, int]) -> list[str]:
        """The monitor with that pid, our child, is dead and reaped: take over what it has left of what is ``held``.

        Returns the names of those whose end we shall tell of.
        """
        if not self.needed:
            return []
        self._monitors.add(monitor)
        for key, fd in held.items():
            name, _, role = key.rpartition("/")
            if role == escrows.PROCESS and f"{name}/" not in self._watched and _is_child(fd):
                self._watch(f"{name}/", os.dup(fd))
        if self._sweeping is None:  # not before those are known that must not be swept away
            self._sweep()
        return sorted({*self._watched, *self.ended})

    def forget(self, keys: tuple[str, ...]) -> None:
        """Nobody asks for these any more."""
        for key in keys:
            name, _, role = key.rpartition("/")
            if role == escrows.PROCESS:
                self.ended.pop(f"{name}/", None)

    def close(self) -> None:
        """Watch nothing any more."""
        for name in list(self._watched):
            self._unwatch(name)
        if self._sweeping is not None:
            self._sweeping.cancel()

    def _watch(self, name: str, fd: int) -> None:
        self._watched[name] = fd
        asyncio.get_running_loop().add_reader(fd, self._readable, name)

    def _readable(self, name: str) -> None:
        result = None
        with contextlib.suppress(ChildProcessError):
            result = os.waitid(os.P_PIDFD, self._watched[name], os.WEXITED | os.WNOHANG)
        self._unwatch(name)
        if result is not None:
            code = result.si_status if result.si_code == os.CLD_EXITED else 128 + result.si_status
            self.ended[name] = code, time.time_ns()
            self._tell(name, *self.ended[name])

    def _unwatch(self, name: str) -> None:
        fd = self._watched.pop(name)
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)

    def _sweep(self) -> None:
        """Reap what monitors left that has no name: their commands, and what containers have in the background."""
        for path in Path("/proc/self/task").glob("*/children"):
            with contextlib.suppress(OSError):
                for pid in map(int, path.read_bytes().split()):
                    self._reap(pid)
        self._sweeping = asyncio.get_running_loop().call_later(_SWEEP, self._sweep)

    def _reap(self, pid: int) -> None:
        with contextlib.suppress(OSError, ValueError):
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if stat[0] != "Z" or not (int(stat[3]) in self._monitors or _is_elsewhere(pid)):
                return
            if not any(_pid(fd) == pid for fd in self._watched.values()):
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)


@cache
def _warn() -> None:
    """Once, however many monitors there are."""
    log.warning(
        "this kernel does not tell how a foreign process ended (Linux 6.15 does): when the node monitor dies,"
        " exit statuses are known only as long as the daemon runs that has started it"
    )


def _is_child(fd: int) -> bool:
    """Whether it is a child of ours, ended or not."""
    try:
        os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _is_elsewhere(pid: int) -> bool:
    """Whether it is in a pid namespace below ours, where no helper of the daemon is."""
    line = next((line for line in _status(f"/proc/{pid}/status") if line.startswith("NSpid:")), "")
    return len(line.split()) > 2


def _pid(fd: int) -> int:
    """The pid that a descriptor stands for; -1 if that was reaped."""
    line = next((line for line in _status(f"/proc/self/fdinfo/{fd}") if line.startswith("Pid:")), "Pid: -1")
    return int(line.split()[1])


def _status(path: str) -> list[str]:
    return Path(path).read_text("utf-8", "replace").splitlines()
