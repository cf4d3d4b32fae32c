"""Whiteouts and opaque markers, in a plain directory and in the upper directory of an overlay.

The first removes what is there. The second writes down that what lies below is gone: a character device 0:0 in place of
an entry, an attribute on a directory (``Documentation/filesystems/overlayfs.rst``).
"""

from __future__ import annotations

import errno
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from moorage_differ_walking import attributes, lowers, names
from moorage_differ_walking.entries import Entry
from moorage_differ_walking.folders import Folders
from moorage_sdk import errors
from moorage_sys import paths

_READ_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_INSIDE = paths.RESOLVE_BENEATH | paths.RESOLVE_NO_SYMLINKS | paths.RESOLVE_NO_XDEV


class Made:
    """What this layer brought: an opaque marker may come after the entries that it spares."""

    def __init__(self, root: int) -> None:
        # With nothing there before, a marker removes nothing, and there may be millions of entries to remember.
        self._keys: set[int] | None = None if _is_empty(root) else set()
        self._parents: set[int] = set()

    @property
    def remembers(self) -> bool:
        """Whether it needs to be told."""
        return self._keys is not None

    def add(self, parent: int, name: bytes) -> None:
        """Raises OSError."""
        if self._keys is not None:
            self._keys.add(_key(parent, name))
            self.enter(parent)

    def enter(self, parent: int) -> None:
        """An entry of the layer, be it a whiteout, lies in this directory. Raises OSError."""
        if self._keys is not None:
            self._parents.add(os.fstat(parent).st_ino)

    def entered(self, directory: int) -> bool:
        """Raises OSError."""
        return os.fstat(directory).st_ino in self._parents

    def has(self, parent: int, name: bytes) -> bool:
        """Raises OSError."""
        return self._keys is None or _key(parent, name) in self._keys


class Removals(ABC):
    """``path`` is the cleaned name of a directory, ``parent`` its descriptor, good until the next search."""

    def white_out(self, path: bytes, parent: int, base: bytes, entry: Entry) -> None:
        """Carry out the entry ``base``, whose name begins with ``.wh.``.

        Raises errors.InvalidArgument for a name that would reach out of its directory, OSError.
        """
        if base == names.OPAQUE:
            self.make_opaque(path, parent, entry)
        else:
            self.remove(path, parent, names.hidden(base), entry)

    @abstractmethod
    def remove(self, path: bytes, parent: int, name: bytes, entry: Entry) -> None:
        """Let nothing show at ``name``. Raises OSError."""

    @abstractmethod
    def make_opaque(self, path: bytes, parent: int, entry: Entry) -> None:
        """Let nothing show in a directory but what this layer brings. Raises OSError."""


class PlainRemovals(Removals):
    def __init__(self, made: Made) -> None:
        self._made = made

    def remove(self, path: bytes, parent: int, name: bytes, entry: Entry) -> None:
        self._made.enter(parent)
        paths.remove_entry(parent, name)

    def make_opaque(self, path: bytes, parent: int, entry: Entry) -> None:
        self._made.enter(parent)
        old: list[bytes] = []
        spared: set[bytes] = set()
        for inner, fd, children in _walk(parent):
            if self._made.entered(fd):
                spared.add(inner)
            for name, is_directory in children:
                if self._made.has(fd, name):
                    continue
                if is_directory:
                    old.append(inner + b"/" + name)
                else:
                    paths.remove_entry(fd, name)
        # Old directories on the way to an entry of this layer stay, as in an overlay; the inner ones come first.
        for place in reversed(old):
            if place in spared:
                continue
            try:
                os.rmdir(place, dir_fd=parent)
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise


class OverlayRemovals(Removals):
    """``root`` is the upper directory, ``below`` the lower ones, newest first, none while they are not known yet."""

    def __init__(self, root: int, below: Sequence[int], folders: Folders) -> None:
        self._root = root
        self._below = below
        self._folders = folders

    def remove(self, path: bytes, parent: int, name: bytes, entry: Entry) -> None:
        paths.remove_entry(parent, name)
        if self._shows_below(path, name):
            parent = self._folders.find(path)
            os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
            os.chown(name, *attributes.owner(entry), dir_fd=parent, follow_symlinks=False)

    def make_opaque(self, path: bytes, parent: int, entry: Entry) -> None:
        # By what it is, for a link may lead to the root, too.
        if not self._below or not os.path.sameopenfile(parent, self._root):
            _mark(parent, b".")
            return
        # Overlay has no mark for the root itself, so its entries are hidden one after the other.
        for name in lowers.names(self._below):
            try:
                _mark(self._root, name)
            except FileNotFoundError:
                self.remove(b"", self._root, name, entry)
            except NotADirectoryError:
                continue

    def _shows_below(self, path: bytes, name: bytes) -> bool:
        """Whether a whiteout is called for: in a directory that covers nothing, overlay would list it as an entry.

        Without lower layers it is not known yet, for the layer will get a parent later.
        """
        if not self._below:
            return True
        _, canonical = self._folders.trace(path)
        whole = canonical + b"/" + name if canonical else name
        if lowers.hides(self._root, whole) or (found := lowers.find(self._below, whole)) is None:
            return False
        os.close(found)
        return True


def _mark(parent: int, name: bytes) -> None:
    """Make a directory opaque. Whiteouts in it hide nothing any more, so overlay would list them as entries."""
    fd = os.open(name, _READ_DIRECTORY, dir_fd=parent)
    try:
        os.setxattr(fd, lowers.OPAQUE, b"y")
        for _, inner, children in _walk(fd):
            for child, is_directory in children:
                if not is_directory and lowers.is_whiteout(os.stat(child, dir_fd=inner, follow_symlinks=False)):
                    os.unlink(child, dir_fd=inner)
    finally:
        os.close(fd)


def _walk(parent: int) -> Iterator[tuple[bytes, int, list[tuple[bytes, bool]]]]:
    """Each directory at and beneath ``parent`` before what it holds: path, descriptor, and names of what is in it.

    The flag says which are directories. Raises errors.FailedPrecondition at a mount point, OSError.
    """
    pending = [b"."]
    while pending:
        path = pending.pop()
        try:
            fd = paths.openat2(parent, path, _READ_DIRECTORY, resolve=_INSIDE)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            raise errors.FailedPrecondition(
                f'directory "{os.fsdecode(path)}": is a mount point: failed precondition', hint="unmount it first"
            ) from None
        try:
            with os.scandir(fd) as found:
                children = [(os.fsencode(child.name), child.is_dir(follow_symlinks=False)) for child in found]
            yield path, fd, children
        finally:
            os.close(fd)
        pending.extend(path + b"/" + name for name, is_directory in children if is_directory)


def _key(parent: int, name: bytes) -> int:
    """An entry's name for the length of a layer, in 8 bytes."""
    return hash((os.fstat(parent).st_ino, name))


def _is_empty(fd: int) -> bool:
    with os.scandir(fd) as found:
        return next(iter(found), None) is None
