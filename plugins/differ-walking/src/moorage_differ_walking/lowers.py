"""The layers below the one being unpacked, as far as an unpacker needs them.

Only an overlay's upper directory is written to, so what shows through from below must be looked up. Directories are
given as descriptors, newest first, of mounts of their own: nothing above them can be reached.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

from moorage_differ_walking import attributes
from moorage_sdk import errors
from moorage_sys import paths

OPAQUE = "trusted.overlay.opaque"
_INSIDE = paths.RESOLVE_BENEATH | paths.RESOLVE_NO_SYMLINKS
_ABSENT = (errno.ENOENT,)
_COVERED = (errno.ENOTDIR, errno.ELOOP)


def is_whiteout(status: os.stat_result) -> bool:
    """Whether overlay takes this for a removed entry: a character device 0:0."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def find(lowers: Sequence[int], path: bytes, flags: int = os.O_PATH) -> int | None:
    """A descriptor (the caller's) of what shows at ``path``, a cleaned path whose parents are directories.

    None when nothing does: absent everywhere, removed by a whiteout, or covered by an opaque directory. Raises OSError.
    """
    for lower in lowers:
        try:
            fd = paths.openat2(lower, path, flags | os.O_NOFOLLOW, resolve=_INSIDE)
        except OSError as error:
            if error.errno in _COVERED or (error.errno in _ABSENT and hides(lower, path)):
                return None
            if error.errno in _ABSENT:
                continue
            raise
        if is_whiteout(os.fstat(fd)):
            os.close(fd)
            return None
        return fd
    return None


def names(lowers: Sequence[int]) -> set[bytes]:
    """Whatever has a name at the top of any layer. Raises OSError."""
    return {os.fsencode(name) for lower in lowers for name in os.listdir(lower)}  # noqa: PTH208  # by descriptor


def copy_up(lowers: Sequence[int], path: bytes, parent: int, name: bytes) -> None:
    """Make ``name`` in a directory what a file or link at ``path`` below is, as overlay does before a change.

    Raises FileNotFoundError when nothing shows there, errors.InvalidArgument for other kinds, OSError.
    """
    found = find(lowers, path)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(path))
    try:
        status = os.fstat(found)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(b"", dir_fd=found), name, dir_fd=parent)  # Path has no dir_fd
            os.chown(name, status.st_uid, status.st_gid, dir_fd=parent, follow_symlinks=False)
            os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=parent, follow_symlinks=False)
            return
    finally:
        os.close(found)
    if not stat.S_ISREG(status.st_mode):
        raise errors.InvalidArgument(f"layer: link to {path[:200]!r}: neither file nor link: invalid argument")
    source = find(lowers, path, os.O_RDONLY | os.O_NONBLOCK)
    if source is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(path))
    try:
        _copy_file(source, parent, name)
    finally:
        os.close(source)


def _copy_file(source: int, parent: int, name: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    target = os.open(name, flags, 0o600, dir_fd=parent)
    try:
        while os.sendfile(target, source, None, 1 << 30):
            continue
        attributes.copy(source, target)
    finally:
        os.close(target)


def hides(layer: int, path: bytes) -> bool:
    """Whether in ``layer`` a directory above ``path`` is opaque: what lies below that layer does not show there."""
    parts = path.split(b"/")
    for end in range(1, len(parts)):
        try:
            fd = paths.openat2(layer, b"/".join(parts[:end]), os.O_RDONLY | os.O_DIRECTORY, resolve=_INSIDE)
        except OSError:
            return False
        try:
            if os.getxattr(fd, OPAQUE) in (b"y", b"x"):
                return True
        except OSError:
            continue
        finally:
            os.close(fd)
    return False
