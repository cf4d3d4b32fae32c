"""Attributes of this process: prctl(2), namespaces, inherited descriptors, a new root.

Those that change a single thread in the kernel (no_new_privs, parent-death signal, capabilities, namespaces) are meant
for small helpers that call them before they start a thread.
"""

from __future__ import annotations

import os

from moorage_sys import libc

CLONE_FS = 0x200
CLONE_NEWNS = 0x20000
CLONE_NEWUSER = 0x10000000

_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
_PR_SET_NO_NEW_PRIVS = 38
_CLOSE_RANGE_CLOEXEC = 4
_LAST = 2**32 - 1


def prctl(option: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> int:
    """Raises OSError."""
    return libc.check(libc.lib.prctl(option, a, b, c, d))


def set_subreaper(enabled: bool = True) -> None:
    """Orphaned descendants become children of this process. Raises OSError."""
    prctl(_PR_SET_CHILD_SUBREAPER, int(enabled))


def is_subreaper() -> bool:
    """Raises OSError."""
    flag = libc.buffer(bytes(4))
    prctl(_PR_GET_CHILD_SUBREAPER, libc.address(flag))
    return any(libc.content(flag, 4))


def set_no_new_privileges() -> None:
    """No program executed from here on gains privileges. Raises OSError."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def set_dumpable(enabled: bool) -> None:
    """Whether others of the same user may trace this process or read its memory. Raises OSError."""
    prctl(_PR_SET_DUMPABLE, int(enabled))


def set_name(name: str) -> None:
    """The name that ps shows, of which the kernel keeps 15 bytes. Raises OSError."""
    text = libc.text(name.encode()[:15])
    prctl(_PR_SET_NAME, libc.address(text))


def close_from(first: int, *, on_exec_only: bool = False) -> None:
    """Close every descriptor from ``first`` on, or only mark them close-on-exec. Raises OSError."""
    libc.syscall(libc.CLOSE_RANGE, first, _LAST, _CLOSE_RANGE_CLOEXEC if on_exec_only else 0)


def unshare(flags: int) -> None:
    """Leave namespaces (``CLONE_NEW*``) or shared attributes (``CLONE_FS``) behind. Raises OSError."""
    libc.check(libc.lib.unshare(flags))


def pivot_root(root: libc.Path) -> None:
    """Make the mount at ``root`` the root, and let go of the old one with all its mounts. Raises OSError.

    The old root is stacked under the new one and detached, which needs no directory to put it in (pivot_root(2)).
    """
    os.chdir(root)
    dot = libc.text(".")
    libc.check(libc.lib.pivot_root(dot, dot), root)
    libc.check(libc.lib.umount2(dot, 2), root)
    os.chdir("/")
