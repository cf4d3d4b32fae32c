"""The directories that entries go into: found without leaving the root, made where they are missing.

A name's parent is resolved anew for every entry, by the kernel; only the last result is kept, as long as nothing but
regular files was added (a cache of names was CVE-2025-47290).
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Sequence

from moorage_differ_walking import attributes, lowers
from moorage_sdk import errors
from moorage_sys import paths

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKS = 255
"""Symbolic links on the way to one entry, as in continuity's ``fs.RootPath``."""
_KERNEL_PATH = 4000
"""Paths longer than the kernel takes at once are walked by components."""


class Folders:
    """``made`` is told each directory that was invented, as its parent and name."""

    def __init__(self, root: int, below: Sequence[int], made: Callable[[int, bytes], None] | None = None) -> None:
        self._root = root
        self._below = below
        self._made = made
        self._kept = (b"", os.dup(root))

    def find(self, path: bytes) -> int:
        """A descriptor of the directory at a cleaned path, ours and good until the next call.

        Raises errors.InvalidArgument when something on the way is no directory, OSError.
        """
        if path != self._kept[0]:
            self._keep(path, self._open(path))
        return self._kept[1]

    def trace(self, path: bytes) -> tuple[int, bytes]:
        """As ``find``, with the path that has no links in it."""
        walk = _Walk(self, path)
        self._keep(path, walk.run())
        return self._kept[1], b"/".join(walk.names)

    def forget(self) -> None:
        """To be called after everything that may have changed what a name means."""
        if self._kept[0]:
            self._keep(b"", os.dup(self._root))

    def close(self) -> None:
        os.close(self._kept[1])
        self._kept = (b"", -1)

    def _keep(self, path: bytes, fd: int) -> None:
        os.close(self._kept[1])
        self._kept = (path, fd)

    def _open(self, path: bytes) -> int:
        if not path:
            return os.dup(self._root)
        if len(path) < _KERNEL_PATH:
            try:
                return paths.open_in_root(self._root, path, os.O_PATH | os.O_DIRECTORY)
            except (FileNotFoundError, NotADirectoryError):
                # Missing, or whited out in this very layer: to be made, component by component.
                pass
        return _Walk(self, path).run()


class _Walk:
    """One slow resolution: follows links inside the root, through lower layers too, and makes what is missing."""

    def __init__(self, folders: Folders, path: bytes) -> None:
        self._root, self._below, self._made = folders._root, folders._below, folders._made
        self._path = path
        self._pending = deque(path.split(b"/"))
        self.names: list[bytes] = []
        self._links = 0
        self._fd = os.dup(self._root)

    def run(self) -> int:
        try:
            while self._pending:
                name = self._pending.popleft()
                if name == b"..":
                    self._reopen(self.names[:-1])
                elif name not in (b"", b"."):
                    self._step(name)
        except BaseException:
            os.close(self._fd)
            raise
        return self._fd

    def _step(self, name: bytes) -> None:
        try:
            status = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            self._missing(name, covered=False)
            return
        if stat.S_ISLNK(status.st_mode):
            self._follow(os.readlink(name, dir_fd=self._fd))  # Path has no dir_fd
        elif stat.S_ISDIR(status.st_mode):
            self._enter(name)
        elif lowers.is_whiteout(status):
            os.unlink(name, dir_fd=self._fd)
            self._missing(name, covered=True)
        else:
            raise errors.InvalidArgument(
                f"layer: parent directory {self._path[:200]!r} of an entry: not a directory: invalid argument"
            )

    def _missing(self, name: bytes, *, covered: bool) -> None:
        """Take from below what shows through there, or make a directory; ``covered`` says that nothing does."""
        below = None if covered else lowers.find(self._below, b"/".join([*self.names, name]))
        try:
            if below is not None and stat.S_ISLNK(os.fstat(below).st_mode):
                self._follow(os.readlink(b"", dir_fd=below))  # Path has no dir_fd
                return
            os.mkdir(name, 0o755, dir_fd=self._fd)
            if self._made:
                self._made(self._fd, name)
            self._enter(name)
            self._dress(below, covered)
        finally:
            if below is not None:
                os.close(below)

    def _dress(self, below: int | None, covered: bool) -> None:
        """Attributes of a directory just made, which is the current one."""
        fd = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._fd)
        try:
            os.fchmod(fd, 0o755)
            if covered:
                os.setxattr(fd, lowers.OPAQUE, b"y")
            elif below is not None and stat.S_ISDIR(os.fstat(below).st_mode):
                source = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=below)
                try:
                    attributes.copy(source, fd)
                finally:
                    os.close(source)
        finally:
            os.close(fd)

    def _follow(self, target: bytes) -> None:
        self._links += 1
        if self._links > _LINKS:
            raise errors.InvalidArgument(f"layer: too many links on the way to {self._path[:200]!r}: invalid argument")
        if target.startswith(b"/"):
            self._reopen([])
        self._pending.extendleft(reversed(target.split(b"/")))

    def _enter(self, name: bytes) -> None:
        inner = os.open(name, _DIRECTORY, dir_fd=self._fd)
        os.close(self._fd)
        self._fd = inner
        self.names.append(name)

    def _reopen(self, names: list[bytes]) -> None:
        os.close(self._fd)
        self._fd = os.dup(self._root)
        self.names = []
        for name in names:
            self._enter(name)
