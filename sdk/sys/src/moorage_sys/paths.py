"""Paths that somebody else chose: opened without leaving a root, removed without leaving a file system.

``openat2`` with ``RESOLVE_IN_ROOT`` resolves symbolic links and ``..`` as if the root were ``/``, in the kernel and
without a window for a race (openat2(2)).
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from moorage_sdk import errors
from moorage_sys import libc, mountinfo

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

_IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_STAY = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_RETRIES = 128
"""EAGAIN means that a concurrent rename made the kernel unsure whether ``..`` stayed inside."""


@lru_cache(maxsize=64)
def _how(flags: int, mode: int, resolve: int) -> Any:
    """``struct open_how``; the kernel only reads it, so one serves all calls alike."""
    return libc.buffer(struct.pack("=QQQ", flags, mode, resolve))


def openat2(dir_fd: int, path: libc.Path, flags: int, *, mode: int = 0, resolve: int = _IN_ROOT) -> int:
    """Open ``path`` relative to ``dir_fd``, always close-on-exec. ``mode`` only with O_CREAT or O_TMPFILE.

    Raises OSError; EXDEV and ELOOP say that ``resolve`` forbade the path.
    """
    name, how = libc.text(path), _how(flags | os.O_CLOEXEC, mode, resolve)
    for attempt in range(_RETRIES):
        fd = libc.lib.syscall(libc.OPENAT2, dir_fd, libc.address(name), libc.address(how), 24, 0, 0)
        if fd >= 0:
            return int(fd)
        error = libc.failure(path)
        if error.errno != errno.EAGAIN or attempt == _RETRIES - 1:
            raise error
    raise AssertionError("unreachable")


def open_in_root(root_fd: int, path: libc.Path, flags: int = os.O_PATH, *, mode: int = 0) -> int:
    """Open a path as a process chrooted to ``root_fd`` would. Raises OSError."""
    return openat2(root_fd, os.fsencode(path) or b".", flags, mode=mode)


def real_path(fd: int) -> str:
    """Where an open file lies now, as this process sees it. Raises OSError."""
    return str(Path(f"/proc/self/fd/{fd}").readlink())


def read_limited(root_fd: int, path: libc.Path, limit: int) -> bytes:
    """A regular file inside a root, of at most ``limit`` bytes.

    Raises OSError, errors.InvalidArgument for what is no regular file (a FIFO would hang, a device never end), and
    errors.ResourceExhausted past the limit: to cut silently would drop entries of a user database.
    """
    fd = open_in_root(root_fd, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)  # asked before open, which would not close the descriptor of a directory that it refuses
        raise errors.InvalidArgument(f'file "{os.fsdecode(path)}": not a regular file: invalid argument')
    with open(fd, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise errors.ResourceExhausted(f'file "{os.fsdecode(path)}": larger than {limit} bytes: resource exhausted')
    return data


def remove_tree(path: libc.Path) -> None:
    """Remove a file or a whole directory; what does not exist is removed already.

    Never follows a symbolic link at or beneath ``path`` and never enters a mount: with a mount anywhere beneath it
    nothing is removed at all. Depth is limited by memory only. Raises errors.FailedPrecondition naming the mount
    point, OSError.
    """
    absolute = Path(os.fsdecode(path)).absolute()
    try:
        parent = os.open(absolute.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _refuse_mounts(str(Path(real_path(parent), absolute.name)))
        remove_entry(parent, os.fsencode(absolute.name))
    finally:
        os.close(parent)


def remove_entry(dir_fd: int, name: bytes) -> None:
    """Remove ``name``, a single component, from a directory, whatever it is. As ``remove_tree``."""
    if not _unlink(dir_fd, name):
        _empty(dir_fd, name)
        os.rmdir(name, dir_fd=dir_fd)


@dataclass(slots=True)
class _Frame:
    """A directory being emptied: its identity, to find it again through ``..``, and what is left in it."""

    name: bytes
    identity: tuple[int, int]
    pending: list[bytes] = field(default_factory=list)


def _empty(dir_fd: int, name: bytes) -> None:
    """Remove all in a directory, holding one descriptor however deep the tree is."""
    fd = _enter(dir_fd, name)
    try:
        frames = [_Frame(name, _identity(fd), _clear_files(fd))]
        while True:
            frame = frames[-1]
            if frame.pending:
                child = frame.pending.pop()
                fd = _swap(fd, _enter(fd, child))
                frames.append(_Frame(child, _identity(fd), _clear_files(fd)))
                continue
            frames.pop()
            if not frames:
                return
            fd = _swap(fd, os.open(b"..", _DIRECTORY, dir_fd=fd))
            if _identity(fd) != frames[-1].identity:
                raise OSError(errno.ESTALE, "directory was moved while being removed", os.fsdecode(frame.name))
            os.rmdir(frame.name, dir_fd=fd)
    finally:
        os.close(fd)


def _swap(old: int, new: int) -> int:
    os.close(old)
    return new


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _clear_files(fd: int) -> list[bytes]:
    """Unlink all that is no directory; the names of the directories."""
    with os.scandir(fd) as entries:
        names = [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, directory in names:
        if not directory:
            os.unlink(name, dir_fd=fd)
    return [name for name, directory in names if directory]


def _unlink(dir_fd: int, name: bytes) -> bool:
    """Whether the entry is gone; False when it is a directory."""
    try:
        os.unlink(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return True
    except (IsADirectoryError, PermissionError) as error:
        # POSIX allows EPERM for a directory; a file that may not be unlinked must not be mistaken for one.
        if not stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode):
            raise error from None
        return False
    return True


def _enter(dir_fd: int, name: bytes) -> int:
    try:
        return openat2(dir_fd, name, _DIRECTORY, resolve=_STAY)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise errors.FailedPrecondition(
                f'directory "{os.fsdecode(name)}": is a mount point: failed precondition', hint="unmount it first"
            ) from None
        raise


def _refuse_mounts(path: str) -> None:
    for entry in mountinfo.beneath(path):
        raise errors.FailedPrecondition(
            f'directory "{path}": holds the mount point "{entry.mount_point}": failed precondition',
            hint="unmount it first",
        )
