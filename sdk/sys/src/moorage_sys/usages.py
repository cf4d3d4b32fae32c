"""Disk usage of directory trees, as snapshotters report it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from moorage_sys import libc, paths

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_INSIDE = paths.RESOLVE_BENEATH | paths.RESOLVE_NO_SYMLINKS | paths.RESOLVE_NO_XDEV
_REPLACED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV)


@dataclass(frozen=True, slots=True)
class Usage:
    """``size`` in bytes of allocated blocks, ``inodes`` each counted once however many names it has."""

    size: int
    inodes: int


def of(path: libc.Path) -> Usage:
    """What the tree at ``path`` takes, the directory itself included, without entering other file systems.

    Somebody may be changing it: entries that vanish meanwhile count or not, and a symbolic link in the place of what
    was a directory leads nowhere. Raises OSError when ``path`` itself cannot be read.
    """
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        return Usage(status.st_blocks * 512, 1)
    root = os.open(path, _DIRECTORY | os.O_CLOEXEC)
    try:
        return _of_tree(root, status)
    finally:
        os.close(root)


def _of_tree(root: int, top: os.stat_result) -> Usage:
    size, inodes = top.st_blocks * 512, 1
    linked: set[int] = set()
    pending = [b"."]
    while pending:
        folder = pending.pop()
        for name, status in _entries(root, folder):
            if status.st_dev != top.st_dev:
                continue
            if stat.S_ISDIR(status.st_mode):
                pending.append(folder + b"/" + name)
            elif status.st_nlink > 1:
                if status.st_ino in linked:
                    continue
                linked.add(status.st_ino)
            size += status.st_blocks * 512
            inodes += 1
    return Usage(size, inodes)


def _entries(root: int, folder: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    """What is in a directory beneath ``root``; nothing if it is none any more."""
    try:
        fd = paths.openat2(root, folder, _DIRECTORY, resolve=_INSIDE)
    except OSError as error:
        if error.errno not in _REPLACED:
            raise
        return
    try:
        with os.scandir(fd) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    yield os.fsencode(entry.name), entry.stat(follow_symlinks=False)
    finally:
        os.close(fd)
