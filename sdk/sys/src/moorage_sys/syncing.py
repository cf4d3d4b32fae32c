"""Making data durable."""

from __future__ import annotations

import os

from moorage_sys import libc


def sync_filesystem(path: libc.Path | int) -> None:
    """Write out everything of the file system that holds ``path`` (syncfs(2)). Raises OSError.

    Since Linux 5.8 an error of earlier writeback that nobody has seen yet is reported, too.
    """
    if isinstance(path, int):
        libc.check(libc.lib.syncfs(path))
        return
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc.check(libc.lib.syncfs(fd), path)
    finally:
        os.close(fd)


def sync_directory(path: libc.Path) -> None:
    """Make renames, creations and removals in a directory durable. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
