"""The descriptor-based mount API: open_tree, fsopen, fsconfig, fsmount, move_mount, mount_setattr.

A mount made here belongs to a descriptor until ``attach`` gives it a place; closing the descriptor before takes it away
without a trace. Numbers are those of ``include/uapi/linux/mount.h``.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from contextlib import suppress

from moorage_sys import libc

AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100
AT_FDCWD = -100

OPEN_TREE_CLONE = 1
MOVE_MOUNT_F_EMPTY_PATH = 4
MOVE_MOUNT_T_EMPTY_PATH = 0x40

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR_IDMAP = 0x100000

_FSCONFIG_SET_FLAG = 0
_FSCONFIG_SET_STRING = 1
_FSCONFIG_CMD_CREATE = 6
_FSOPEN_CLOEXEC = 1
_FSMOUNT_CLOEXEC = 1
_MOST_LINES = 16


def clone_tree(path: libc.Path, *, dir_fd: int = AT_FDCWD, recursive: bool = False) -> int:
    """A new, detached bind mount of ``path``; an empty path means ``dir_fd`` itself. Raises OSError."""
    flags = OPEN_TREE_CLONE | os.O_CLOEXEC | AT_SYMLINK_NOFOLLOW
    flags |= AT_RECURSIVE if recursive else 0
    flags |= AT_EMPTY_PATH if not os.fsencode(path) else 0
    name = libc.text(path)
    try:
        return libc.syscall(libc.OPEN_TREE, dir_fd, libc.address(name), flags)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fsdecode(path)) from None


def attach(mount_fd: int, target: libc.Path, *, dir_fd: int = AT_FDCWD) -> None:
    """Give a detached mount its place (an empty target means ``dir_fd`` itself). Raises OSError."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | (0 if os.fsencode(target) else MOVE_MOUNT_T_EMPTY_PATH)
    empty, place = libc.text(b""), libc.text(target)
    try:
        libc.syscall(libc.MOVE_MOUNT, mount_fd, libc.address(empty), dir_fd, libc.address(place), flags)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fsdecode(target)) from None


def set_attributes(mount_fd: int, *, set: int = 0, userns_fd: int = 0) -> None:
    """Set attributes of a mount (mount_setattr(2), Linux 5.12). Raises OSError."""
    attributes = libc.buffer(struct.pack("=QQQQ", set, 0, 0, userns_fd))
    empty = libc.text(b"")
    libc.syscall(libc.MOUNT_SETATTR, mount_fd, libc.address(empty), AT_EMPTY_PATH, libc.address(attributes), 32)


def create(fstype: str, parameters: Iterable[tuple[str, str | None]], *, attributes: int = 0) -> int:
    """A descriptor of a new mount of a new superblock; a parameter without a value is a flag.

    Raises OSError whose text carries the file system's own message where it left one in the context's log.
    """
    name = libc.text(fstype)
    context = libc.syscall(libc.FSOPEN, libc.address(name), _FSOPEN_CLOEXEC)
    try:
        for key, value in parameters:
            _configure(context, _FSCONFIG_SET_FLAG if value is None else _FSCONFIG_SET_STRING, key, value)
        _configure(context, _FSCONFIG_CMD_CREATE, None, None)
        return libc.syscall(libc.FSMOUNT, context, _FSMOUNT_CLOEXEC, attributes)
    except OSError as error:
        raise OSError(error.errno, _log(context) or error.strerror) from None
    finally:
        os.close(context)


def _configure(context: int, command: int, key: str | None, value: str | None) -> None:
    name, content = libc.text(key), libc.text(value)
    libc.syscall(libc.FSCONFIG, context, command, libc.address(name), libc.address(content), 0)


def _log(context: int) -> str:
    """The error lines (``e ...``) that the file system wrote to the context; reading takes them off one by one."""
    lines: list[str] = []
    with suppress(OSError):  # ENODATA: no message is left; and nothing may hide the failure that is being explained
        while len(lines) < _MOST_LINES:
            lines.append(os.read(context, 8192).decode("utf-8", "replace").strip())
    return "; ".join(line.removeprefix("e ") for line in lines if line.startswith("e "))
