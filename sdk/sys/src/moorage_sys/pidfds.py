"""Processes by descriptor: no signal ever meets a recycled pid, and the exit of a foreign process can be read.

Opening, signalling and polling are the standard library's; here is what it lacks.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
from dataclasses import dataclass
from functools import cache

from moorage_sys import kernels

PIDFD_GET_INFO = 0xC040FF0B
"""``_IOWR(0xFF, 11, struct pidfd_info)`` for the first, 64 byte version of the structure (``linux/pidfd.h``)."""

_INFO = struct.Struct("=QQIIIIIIIIIIIi")
_INFO_EXIT = 1 << 3


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended. ``status`` is the wait status as wait(2) reports it."""

    status: int

    @property
    def code(self) -> int:
        """What a shell shows: the exit code, or 128 plus the number of the signal that killed it."""
        if os.WIFSIGNALED(self.status):
            return 128 + os.WTERMSIG(self.status)
        return os.WEXITSTATUS(self.status)


def open_checked(pid: int, started: int) -> int:
    """A pidfd of the process that had ``pid`` and whose ``start_time`` was ``started``.

    Raises ProcessLookupError when it is gone, even if another process has the pid now, OSError.
    """
    fd = os.pidfd_open(pid)
    try:
        if started != start_time(pid):
            raise ProcessLookupError(errno.ESRCH, f"process {pid} is another one by now")
    except BaseException:
        os.close(fd)
        raise
    return fd


def send_signal(fd: int, number: int) -> None:
    """Raises ProcessLookupError when the process has ended and was reaped, OSError."""
    signal.pidfd_send_signal(fd, number)


def is_running(fd: int) -> bool:
    """Whether the process has not been reaped yet; a zombie counts as running, as it does for kill(2)."""
    try:
        signal.pidfd_send_signal(fd, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def exit_info(fd: int) -> Exit | None:
    """How the process ended, or None while it runs or is not reaped yet.

    Needs Linux 6.15 and a pidfd opened before the process was reaped. EPOLLIN on the pidfd means that it is a zombie,
    EPOLLHUP that it was reaped and this tells the rest. Raises OSError with ENOTTY or EINVAL on older kernels.
    """
    request = bytearray(_INFO.pack(_INFO_EXIT, *[0] * 13))
    try:
        fcntl.ioctl(fd, PIDFD_GET_INFO, request)
    except ProcessLookupError:
        # Reaped before any pidfd was opened, or nothing was recorded.
        return None
    fields = _INFO.unpack(request)
    return Exit(fields[13]) if fields[0] & _INFO_EXIT else None


@cache
def has_exit_info() -> bool:
    """Whether this kernel tells exits through a pidfd: asked of a descriptor of ourselves."""
    if kernels.version() < (6, 15):
        return False
    fd = os.pidfd_open(os.getpid())
    try:
        return exit_info(fd) is None
    except OSError:
        return False
    finally:
        os.close(fd)


def start_time(pid: int) -> int:
    """Clock ticks between boot and the start of a process; with the pid, its name until the next boot.

    Raises ProcessLookupError.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may itself hold spaces and parentheses; field 22 of proc_pid_stat(5).
            return int(file.read().rpartition(b")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH), f"/proc/{pid}") from None
