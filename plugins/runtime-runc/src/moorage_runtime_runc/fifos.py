"""Opening the client's FIFOs the way a container needs them.

Rules, each for a loss that happened to somebody: the write end is opened only when a reader is there, or output that is
written before the client opens its end is lost with the last close. It is never opened O_RDWR, and a container never
gets a description with O_NONBLOCK. A read end of ours stays open so that the container survives the client.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from pathlib import Path

from moorage_sdk import errors

WAIT = 30.0
"""Seconds for the client to open its end, as in process/init.go of containerd's runc shim."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05


def is_fifo(path: Path) -> bool:
    """Raises errors.NotFound when nothing is there, errors.PermissionDenied when it cannot be seen."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError as error:
        raise _cannot_open(path, error) from error


async def open_writer(path: Path, timeout: float = WAIT) -> int:
    """A blocking write end, once a reader is there. It can be cancelled and holds no thread.

    Raises errors.DeadlineExceeded if no reader comes.
    """
    pause = _FIRST_PAUSE
    try:
        async with asyncio.timeout(timeout):
            while (fd := try_writer(path)) is None:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
    except TimeoutError as error:
        raise errors.DeadlineExceeded(f'fifo "{path}": no reader within {timeout:g} s') from error
    os.set_blocking(fd, True)
    return fd


def open_reader(path: Path, *, blocking: bool = False) -> int:
    """A read end, at once, writer or not. ``blocking`` is what reading from it does. Raises as ``is_fifo``."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot_open(path, error) from error
    if blocking:
        os.set_blocking(fd, True)
    return fd


def try_writer(path: Path) -> int | None:
    """A write end if a reader is there now. Raises as ``is_fifo``."""
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise _cannot_open(path, error) from error


def _cannot_open(path: Path, error: OSError) -> errors.Error:
    kind = {errno.ENOENT: errors.NotFound, errno.EACCES: errors.PermissionDenied}.get(error.errno or 0, errors.Error)
    return kind(f'stdio "{path}": {error.strerror}')
