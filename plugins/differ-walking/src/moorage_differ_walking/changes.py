"""What differs between two directories, found by walking both at once.

Rules of equality are those of continuity's ``fs.Changes``, which containerd's differ is built on.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from moorage_sys import paths

CAPABILITY = "security.capability"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_INSIDE = paths.RESOLVE_BENEATH | paths.RESOLVE_NO_SYMLINKS
_CHUNK = 1 << 20


class Kind(Enum):
    UNMODIFIED = "unmodified"
    ADD = "add"
    MODIFY = "modify"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """``path`` is relative; ``status`` that of the upper side, None for a deletion."""

    kind: Kind
    path: bytes
    status: os.stat_result | None


@dataclass(slots=True)
class _Level:
    """A directory on both sides (``lower`` is -1 where there is none) and the names in it yet to come."""

    path: bytes
    lower: int
    upper: int
    names: Iterator[bytes]


def walk(lower: int, upper: int) -> Iterator[Change]:
    """Changes in the order of their paths, a directory before its contents; unmodified entries are told, too.

    A deleted or replaced directory is one change. Raises OSError.
    """
    levels = [_level(b"", os.dup(lower), os.dup(upper))]
    try:
        while levels:
            level = levels[-1]
            name = next(level.names, None)
            if name is None:
                _close(levels.pop())
                continue
            before, after = _status(level.lower, name), _status(level.upper, name)
            path = level.path + b"/" + name if level.path else name
            if after is None:
                yield Change(Kind.DELETE, path, None)
                continue
            yield Change(_kind(level, name, before, after), path, after)
            if stat.S_ISDIR(after.st_mode):
                both = before is not None and stat.S_ISDIR(before.st_mode)
                below = paths.openat2(level.lower, name, _DIRECTORY, resolve=_INSIDE) if both else -1
                levels.append(_level(path, below, paths.openat2(level.upper, name, _DIRECTORY, resolve=_INSIDE)))
    finally:
        for level in levels:
            _close(level)


def xattr(parent: int, name: bytes, key: str) -> bytes:
    """An extended attribute of a regular file, empty when there is none. Raises OSError."""
    fd = os.open(name, _FILE, dir_fd=parent)
    try:
        return os.getxattr(fd, key) if key in os.listxattr(fd) else b""
    finally:
        os.close(fd)


def _level(path: bytes, lower: int, upper: int) -> _Level:
    names = {os.fsencode(name) for fd in (lower, upper) if fd >= 0 for name in os.listdir(fd)}  # noqa: PTH208  # by fd
    return _Level(path, lower, upper, iter(sorted(names)))


def _close(level: _Level) -> None:
    os.close(level.upper)
    if level.lower >= 0:
        os.close(level.lower)


def _status(parent: int, name: bytes) -> os.stat_result | None:
    if parent < 0:
        return None
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _kind(level: _Level, name: bytes, before: os.stat_result | None, after: os.stat_result) -> Kind:
    if before is None:
        return Kind.ADD
    return Kind.UNMODIFIED if _same(level, name, before, after) else Kind.MODIFY


def _same(level: _Level, name: bytes, before: os.stat_result, after: os.stat_result) -> bool:
    if os.path.samestat(before, after):
        return True
    for field in ("st_mode", "st_uid", "st_gid", "st_rdev"):
        if getattr(before, field) != getattr(after, field):
            return False
    if stat.S_ISDIR(after.st_mode):
        return True
    if before.st_size != after.st_size:
        return False
    regular = stat.S_ISREG(after.st_mode)
    if regular and xattr(level.lower, name, CAPABILITY) != xattr(level.upper, name, CAPABILITY):
        return False
    if before.st_mtime_ns % 10**9 or after.st_mtime_ns % 10**9:
        return before.st_mtime_ns == after.st_mtime_ns
    # Whole seconds on both sides were probably cut off by a tar archive: only the content can tell.
    return before.st_mtime_ns == after.st_mtime_ns and _same_content(level, name, after)


def _same_content(level: _Level, name: bytes, status: os.stat_result) -> bool:
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(name, dir_fd=level.lower) == os.readlink(name, dir_fd=level.upper)  # by fd
    if not stat.S_ISREG(status.st_mode):
        return True
    with (
        open(os.open(name, _FILE, dir_fd=level.lower), "rb", buffering=0) as one,
        open(os.open(name, _FILE, dir_fd=level.upper), "rb", buffering=0) as other,
    ):
        while (piece := one.read(_CHUNK)) == other.read(_CHUNK):
            if not piece:
                return True
    return False
