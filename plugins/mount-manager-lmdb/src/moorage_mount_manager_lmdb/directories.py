"""The transformation ``mkdir/``: directories that a mount needs (``core/mount/manager/mkdir.go``).

Each option ``X-containerd.mkdir.path=PATH[:MODE[:UID:GID]]`` makes one directory, not its parents, and is taken out of
the options. One that exists must have the mode; its owner is left alone, as there.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace

from moorage_mount_manager_lmdb.roots import Roots
from moorage_sdk import errors
from moorage_sdk.mounts import Mount

PREFIX = "X-containerd.mkdir."
_MODE = re.compile("[0-7]{1,6}", re.ASCII)
_NUMBER = re.compile("[0-9]{1,10}", re.ASCII)
_LIMIT = 0xFFFF_FFFF
"""(uid_t)-1 means "leave it" to chown(2)."""


@dataclass(frozen=True)
class Directory:
    """``owner`` is user and group id, None for the daemon's own."""

    path: str
    mode: int = 0o700
    owner: tuple[int, int] | None = None


def parse(option: str) -> Directory:
    """The directory that an option with ``PREFIX`` asks for. Raises errors.InvalidArgument."""
    key, _, value = option.removeprefix(PREFIX).partition("=")
    parts = value.split(":", 3)
    if key != "path" or len(parts) == 3:
        raise errors.InvalidArgument(f'invalid mkdir option "{option}": invalid argument')
    mode = _mode(parts[1]) if len(parts) > 1 else 0o700
    owner = (_id("uid", parts[2]), _id("gid", parts[3])) if len(parts) > 3 else None
    return Directory(parts[0], mode, owner)


def transform(mount: Mount, roots: Roots) -> Mount:
    """Make the directories; the mount without the options. Raises as ``parse`` and ``make``."""
    wanted = [parse(option) for option in mount.options if option.startswith(PREFIX)]
    for directory in wanted:
        make(directory, roots)
    return replace(mount, options=tuple(option for option in mount.options if not option.startswith(PREFIX)))


def make(directory: Directory, roots: Roots) -> None:
    """Raises errors.Unimplemented for another mode of one that exists, else as ``Roots.parent``."""
    with roots.parent(directory.path, "mkdir") as (parent, name):
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            _compare(directory, parent, name)
            return
        try:
            _dress(directory, parent, name)
        except OSError:
            os.rmdir(name, dir_fd=parent)
            raise


def _compare(directory: Directory, parent: int, name: str) -> None:
    found = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    if not stat.S_ISDIR(found):
        raise errors.FailedPrecondition(f'path "{directory.path}": no directory: failed precondition')
    if found & 0o777 != directory.mode:
        # The root of a file system may have got the mode by those who use it; to set it back would surprise them.
        raise errors.Unimplemented(
            f'directory "{directory.path}": exists with mode {found & 0o777:o}, chmod not supported: not implemented'
        )


def _dress(directory: Directory, parent: int, name: str) -> None:
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if directory.owner:
            os.fchown(fd, *directory.owner)
        os.fchmod(fd, directory.mode)
    finally:
        os.close(fd)


def _mode(text: str) -> int:
    if not _MODE.fullmatch(text) or int(text, 8) > 0o777:
        raise errors.InvalidArgument(f'invalid mode "{text}": invalid argument')
    return int(text, 8)


def _id(what: str, text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) >= _LIMIT:
        raise errors.InvalidArgument(f'invalid {what} "{text}": invalid argument')
    return int(text)
