"""Owners, modes, times and extended attributes."""

from __future__ import annotations

import errno
import os
import stat

from moorage_differ_walking.entries import Entry
from moorage_sdk import errors

_MAX_ID = (1 << 32) - 2
"""The last id is -1 in C, which chown(2) takes for "leave it"."""
_MAX_TIME = (1 << 63) - 1
_DENIED = (b"trusted.", b"user.overlay.")
"""Attributes that tell overlay what to show, or the kernel whom to trust, are never an archive's to set."""


def times(entry: Entry) -> tuple[int, int]:
    """Access and modification time; ones that do not fit become the epoch, as in containerd."""
    return (_bounded(entry.atime), _bounded(entry.mtime))


def owner(entry: Entry) -> tuple[int, int]:
    """Raises errors.InvalidArgument for ids that no file can have."""
    if not (0 <= entry.uid <= _MAX_ID and 0 <= entry.gid <= _MAX_ID):
        raise errors.InvalidArgument(
            f"layer entry {entry.name[:200]!r}: owner {entry.uid}:{entry.gid}: out of range: invalid argument"
        )
    return entry.uid, entry.gid


def set_open(fd: int, entry: Entry) -> None:
    """All attributes of an open file or directory. Raises OSError.

    The owner comes first, since changing it takes set-id bits and capabilities away; times last.
    """
    os.fchown(fd, *owner(entry))
    os.fchmod(fd, entry.mode & 0o7777)
    for key, value in entry.xattrs.items():
        if not key.startswith(_DENIED):
            _set_xattr(fd, key, value)
    os.utime(fd, ns=times(entry))


def set_named(parent: int, name: bytes, entry: Entry) -> None:
    """All attributes of what cannot be opened: links, devices, FIFOs. Raises OSError."""
    os.chown(name, *owner(entry), dir_fd=parent, follow_symlinks=False)
    kind = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    if not stat.S_ISLNK(kind):
        os.chmod(name, entry.mode & 0o7777, dir_fd=parent)
    wanted = {key: value for key, value in entry.xattrs.items() if not key.startswith((*_DENIED, b"user."))}
    if wanted:
        # setxattr takes no directory descriptor; this process has one thread that cares where it is.
        os.fchdir(parent)
        for key, value in wanted.items():
            _set_xattr(name, key, value)
    os.utime(name, ns=times(entry), dir_fd=parent, follow_symlinks=False)


def copy(source: int, target: int) -> None:
    """Make what had to be invented look like what it will cover, both open. Raises OSError."""
    status = os.fstat(source)
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(source):
        if not os.fsencode(name).startswith(_DENIED):
            os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _set_xattr(place: int | bytes, key: bytes, value: bytes) -> None:
    try:
        if isinstance(place, int):
            os.setxattr(place, key, value)
        else:
            os.setxattr(place, key, value, follow_symlinks=False)
    except OSError as error:
        # A file system without such attributes still holds the layer; containerd warns and goes on.
        if error.errno != errno.EOPNOTSUPP:
            raise


def _bounded(nanoseconds: int) -> int:
    return nanoseconds if 0 <= nanoseconds <= _MAX_TIME else 0
