"""Disk usage of directory trees, as snapshotters report it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from moorage_sys import libc


@dataclass(frozen=True, slots=True)
class Usage:
    """``size`` in bytes of allocated blocks, ``inodes`` each counted once however many names it has."""

    size: int
    inodes: int


def of(path: libc.Path) -> Usage:
    """What the tree at ``path`` takes, the directory itself included, without entering other file systems.

    Entries that vanish meanwhile count or not. Raises OSError when ``path`` itself cannot be read.
    """
    status = os.lstat(path)
    device, size, inodes = status.st_dev, status.st_blocks * 512, 1
    linked: set[int] = set()
    pending = [os.fsencode(path)] if stat.S_ISDIR(status.st_mode) else []
    while pending:
        for entry in _entries(pending.pop()):
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if status.st_dev != device:
                continue
            if stat.S_ISDIR(status.st_mode):
                pending.append(entry.path)
            elif status.st_nlink > 1:
                if status.st_ino in linked:
                    continue
                linked.add(status.st_ino)
            size += status.st_blocks * 512
            inodes += 1
    return Usage(size, inodes)


def _entries(directory: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
