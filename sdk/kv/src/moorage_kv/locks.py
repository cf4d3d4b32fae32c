"""The lock that keeps a second process off a store.

It is a file of its own: closing any descriptor of LMDB's lock file would drop the locks LMDB itself holds there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from moorage_sdk import errors


def acquire(path: Path) -> int:
    """Take the lock file at ``path`` without waiting; closing the returned descriptor releases it.

    Raises:
        FailedPrecondition: another opener, possibly in this process, holds it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise errors.FailedPrecondition(
            f'store "{path.parent}": in use by process {holder}', hint="stop the other daemon or use another root"
        ) from None
    _sign(fd)
    return fd


def _sign(fd: int) -> None:
    """Leave our pid for whoever comes second; on a full disk there is none, and the lock holds all the same."""
    text = f"{os.getpid()}\n".encode()
    with contextlib.suppress(OSError):
        os.pwrite(fd, text, 0)
        os.ftruncate(fd, len(text))
