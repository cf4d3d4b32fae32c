"""Two directories to a layer: changes, whiteouts, hard links and the directories they lie in."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Any

from moorage_differ_walking import changes, headers, names, streams
from moorage_differ_walking.changes import Change, Kind
from moorage_differ_walking.jobs import Outcome
from moorage_differ_walking.tar_writers import Item, TarWriter
from moorage_sys import paths

_CHUNK = 1 << 20
_INSIDE = paths.RESOLVE_BENEATH | paths.RESOLVE_NO_SYMLINKS
_XATTRS = ("user.", changes.CAPABILITY)
_HIDDEN_XATTRS = "user.overlay."
_TYPES = {
    stat.S_IFREG: headers.REGULAR,
    stat.S_IFDIR: headers.DIRECTORY,
    stat.S_IFLNK: headers.SYMLINK,
    stat.S_IFCHR: headers.CHAR,
    stat.S_IFBLK: headers.DEVICE,
    stat.S_IFIFO: headers.FIFO,
}


def write_difference(lower: int, upper: int, compression: str, epoch: int | None, out: int) -> Outcome:
    """Write the layer that turns ``lower`` into ``upper`` to the descriptor ``out``.

    ``epoch`` bounds times of modification from above, in seconds. Raises OSError.
    """
    hashed, size = hashlib.sha256(), 0
    with streams.compressed(out, compression) as file:

        def write(data: bytes | memoryview) -> None:
            nonlocal size
            hashed.update(data)
            size += len(data)
            file.write(data)

        layer = Layer(upper, TarWriter(write), epoch)
        for change in changes.walk(lower, upper):
            layer.add(change)
        layer.close()
    return Outcome("sha256:" + hashed.hexdigest(), size)


class Layer:
    """Turns changes into entries (``ChangeWriter`` of ``pkg/archive/tar.go`` in containerd)."""

    def __init__(self, upper: int, writer: TarWriter, epoch: int | None) -> None:
        self._upper = upper
        self._writer = writer
        self._epoch = epoch
        self._folders: set[bytes] = {b""}
        self._linked: dict[tuple[int, int], bytes] = {}
        self._waiting: dict[tuple[int, int], list[bytes]] = {}

    def add(self, change: Change) -> None:
        if change.status is None:
            parent, base = names.split(change.path)
            hidden = parent + b"/" + names.WHITEOUT + base if parent else names.WHITEOUT + base
            self._add_parents(hidden)
            # Whiteouts carry no time, so that the same removal is the same layer.
            self._writer.add(Item(hidden, headers.REGULAR))
        elif stat.S_IFMT(change.status.st_mode) in _TYPES:
            self._add_entry(change.path, change.status, unmodified=change.kind is Kind.UNMODIFIED)

    def close(self) -> None:
        self._writer.close()

    def _add_entry(self, path: bytes, status: os.stat_result, *, unmodified: bool) -> None:
        item = self._item(path, status)
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            identity = (status.st_dev, status.st_ino)
            if identity in self._linked:
                self._add_link(path, self._linked[identity], item)
                return
            if unmodified:
                # Another name of the same file may have changed: then this one becomes a link to it.
                self._waiting.setdefault(identity, []).append(path)
                return
            self._linked[identity] = path
        elif unmodified:
            return
        self._add_parents(path)
        if item.type == headers.DIRECTORY:
            self._folders.add(path)
        self._writer.add(item, self._data(path) if item.size else None)
        for other in self._waiting.pop((status.st_dev, status.st_ino), []):
            self._add_link(other, path, item)

    def _add_link(self, path: bytes, target: bytes, like: Item) -> None:
        self._add_parents(path)
        link = Item(path, headers.LINK, like.mode, like.uid, like.gid, 0, like.mtime, target, xattrs=like.xattrs)
        self._writer.add(link)

    def _add_parents(self, path: bytes) -> None:
        """Directories come before what they hold, changed or not, so that a reader knows their owners and modes."""
        parent, _ = names.split(path)
        missing = []
        while parent not in self._folders:
            missing.append(parent)
            self._folders.add(parent)
            parent, _ = names.split(parent)
        for folder in reversed(missing):
            fd = paths.openat2(self._upper, folder, os.O_PATH | os.O_DIRECTORY, resolve=_INSIDE)
            try:
                self._writer.add(self._item(folder, os.fstat(fd)))
            finally:
                os.close(fd)

    def _item(self, path: bytes, status: os.stat_result) -> Item:
        kind = _TYPES[stat.S_IFMT(status.st_mode)]
        mtime = status.st_mtime_ns // 10**9
        item = Item(
            name=path + b"/" if kind == headers.DIRECTORY else path,
            type=kind,
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            size=status.st_size if kind == headers.REGULAR else 0,
            mtime=mtime if self._epoch is None else min(mtime, self._epoch),
        )
        if kind in (headers.CHAR, headers.DEVICE):
            item.device = (os.major(status.st_rdev), os.minor(status.st_rdev))
        elif kind == headers.SYMLINK:
            with self._opened(path, os.O_PATH | os.O_NOFOLLOW) as fd:
                item.link = os.readlink(b"", dir_fd=fd)  # Path has no dir_fd
        elif kind in (headers.REGULAR, headers.DIRECTORY):
            item.xattrs = self._xattrs(path)
        return item

    def _xattrs(self, path: bytes) -> dict[bytes, bytes]:
        with self._opened(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK) as fd:
            kept = [name for name in os.listxattr(fd) if name.startswith(_XATTRS)]
            return {os.fsencode(name): os.getxattr(fd, name) for name in kept if not name.startswith(_HIDDEN_XATTRS)}

    def _data(self, path: bytes) -> Iterator[bytes]:
        with self._opened(path, os.O_RDONLY | os.O_NOFOLLOW) as fd:
            while piece := os.read(fd, _CHUNK):
                yield piece

    @contextlib.contextmanager
    def _opened(self, path: bytes, flags: int) -> Iterator[Any]:
        fd = paths.openat2(self._upper, path, flags, resolve=_INSIDE)
        try:
            yield fd
        finally:
            os.close(fd)
