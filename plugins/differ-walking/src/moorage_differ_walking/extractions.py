"""Entries become files. Every operation is relative to a descriptor and none follows a link in the last component.

Results are containerd's (``pkg/archive/tar.go``), and the same whether a layer goes into a plain directory or into the
upper directory of an overlay; where containerd fails or leaves more than the layer says, what a flat directory would
show decides.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence

from moorage_differ_walking import attributes, files, headers, lowers, names
from moorage_differ_walking.entries import Entry
from moorage_differ_walking.files import Data
from moorage_differ_walking.folders import Folders
from moorage_differ_walking.limits import Limits
from moorage_differ_walking.removals import Made, OverlayRemovals, PlainRemovals
from moorage_sdk import errors
from moorage_sys import faults, paths, tar_runs

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_RULE_BREAKING = frozenset(
    (errno.ENOTDIR, errno.ELOOP, errno.EPERM, errno.ENOENT, errno.EINVAL, errno.EISDIR, errno.E2BIG, errno.ERANGE)
)
"""What only the layer itself can be the reason of, once the process has all capabilities it needs."""
_MAX_DEVICE = (1 << 32) - 1
_PLAIN_PATH, _PLAIN_DEPTH = 256, 128
"""The longest and deepest names that a header holds by itself."""


class Extraction:
    """Writes into the directory ``root``; ``overlay`` makes whiteouts of overlay, with ``below`` the lower layers.

    ``plain`` is there when ``compiled`` code may and can be used: a faster way for what needs no judgement, for
    ``entries.Archive``.
    """

    def __init__(
        self,
        root: int,
        limits: Limits,
        *,
        overlay: bool = False,
        below: Sequence[int] = (),
        devices: bool = True,
        compiled: bool = True,
    ) -> None:
        self._root = root
        self._limits = limits
        self._overlay = overlay
        self._below = below
        self._devices = devices
        self._made = Made(root) if not overlay else None
        self._folders = Folders(root, below, self._made.add if self._made else None)
        self._removals = PlainRemovals(self._made) if self._made else OverlayRemovals(root, below, self._folders)
        self.plain: Callable[[bytes, int], int] | None = None
        enough = limits.path >= _PLAIN_PATH and limits.depth >= _PLAIN_DEPTH
        if compiled and tar_runs.COMPILED and enough and not (self._made and self._made.remembers):
            self._runs = tar_runs.Extractor(root)
            self.plain = self._add_plain
        self._times: dict[bytes, tuple[int, int]] = {}
        self._changed = False
        self.entries = 0
        self._makers: dict[bytes, Callable[[int, bytes, Entry, Data], None]] = {
            headers.REGULAR: self._make_file,
            headers.DIRECTORY: self._make_directory,
            headers.SYMLINK: self._make_symlink,
            headers.LINK: self._make_link,
            headers.CHAR: self._make_node,
            headers.DEVICE: self._make_node,
            headers.FIFO: self._make_node,
        }

    def add(self, entry: Entry, data: Data) -> None:
        """Write one entry.

        Raises errors.InvalidArgument for what breaks the rules, errors.ResourceExhausted for a limit or a full disk,
        what ``data`` raises, and other classes as ``faults.translate`` says.
        """
        self.entries += 1
        self._limits.check("number of entries", self.entries, self._limits.entries)
        try:
            self._add(entry, data)
        except OSError as error:
            subject = f"layer entry {entry.name[:200]!r}"
            if error.errno in _RULE_BREAKING:
                raise errors.InvalidArgument(f"{subject}: {error.strerror}: invalid argument") from error
            raise faults.translate(error, subject) from error

    def _add_plain(self, data: bytes, start: int) -> int:
        run = self._runs.extract(data, start, self._limits.entries - self.entries)
        self.entries += run.entries
        for offset in run.folders:
            header = headers.parse(data[start + offset : start + offset + headers.BLOCK])
            mtime = header.mtime * 10**9
            self._times[names.clean(header.name)] = (mtime, mtime)
        if run.entries:
            # Links among them may have changed what a name means.
            self._folders.forget()
        return run.size

    def finish(self) -> None:
        """Set the times of directories, which writing into them changed. Raises OSError."""
        for name, times in self._times.items():
            try:
                fd = paths.open_in_root(self._root, name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
                    # Replaced by a later entry, or too deep to be named at once.
                    continue
                raise
            try:
                os.utime(fd, ns=times)
            finally:
                os.close(fd)
        self._folders.close()

    def _add(self, entry: Entry, data: Data) -> None:
        if b"\0" in entry.name or b"\0" in entry.link:
            raise errors.InvalidArgument(f"layer entry {entry.name[:200]!r}: NUL in a name: invalid argument")
        name = names.clean(entry.name)
        if not name:
            # The root is not the layer's to replace; containerd leaves its attributes alone, too.
            return
        maker = self._makers.get(entry.type)
        if maker is None:
            raise errors.InvalidArgument(f"layer entry {name[:200]!r}: unknown type {entry.type!r}: invalid argument")
        self._limits.check("depth", name.count(b"/") + 1, self._limits.depth)
        path, base = names.split(name)
        parent = self._folders.find(path)
        try:
            if base.startswith(names.WHITEOUT):
                self._changed = True
                self._removals.white_out(path, parent, base, entry)
            elif entry.type == headers.CHAR and entry.device == (0, 0):
                # Overlay takes such a device for a whiteout, so it is one everywhere.
                self._removals.remove(path, parent, base, entry)
            else:
                if self._made:
                    self._made.add(parent, base)
                maker(parent, base, entry, data)
        finally:
            # Anything but a new file may have changed what a name means.
            if self._changed or entry.type != headers.REGULAR:
                self._folders.forget()
                self._changed = False
        if entry.type == headers.DIRECTORY:
            self._times[name] = attributes.times(entry)

    # Kinds of entries

    def _make_file(self, parent: int, name: bytes, entry: Entry, data: Data) -> None:
        try:
            fd = os.open(name, _NEW, 0o600, dir_fd=parent)
        except FileExistsError:
            self._changed = True
            paths.remove_entry(parent, name)
            fd = os.open(name, _NEW, 0o600, dir_fd=parent)
        try:
            if entry.extents is None:
                files.write(fd, data)
            else:
                files.write_sparse(fd, entry, data)
            attributes.set_open(fd, entry)
        finally:
            os.close(fd)

    def _make_directory(self, parent: int, name: bytes, entry: Entry, data: Data) -> None:
        replaced = False
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                replaced = True
                paths.remove_entry(parent, name)
                os.mkdir(name, 0o700, dir_fd=parent)
        fd = os.open(name, _READ_DIRECTORY, dir_fd=parent)
        try:
            attributes.set_open(fd, entry)
            if replaced and self._overlay:
                # What was here covered the directory below; the new one must not let it show through.
                os.setxattr(fd, lowers.OPAQUE, b"y")
        finally:
            os.close(fd)

    def _make_symlink(self, parent: int, name: bytes, entry: Entry, data: Data) -> None:
        paths.remove_entry(parent, name)
        os.symlink(entry.link, name, dir_fd=parent)
        attributes.set_named(parent, name, entry)

    def _make_link(self, parent: int, name: bytes, entry: Entry, data: Data) -> None:
        """A second name. The last component of the target is not followed: a link to a link is the link itself."""
        # Not cleaned as text first, unlike names: in ``link/../x`` the dots belong to what the link points to.
        path, _, base = entry.link.rpartition(b"/")
        if base in (b"", b".", b".."):
            raise errors.InvalidArgument(f"layer entry {entry.name[:200]!r}: link to a directory: invalid argument")
        parent = os.dup(parent)
        try:
            source = self._source(path, base)
            if stat.S_ISDIR(os.stat(base, dir_fd=source, follow_symlinks=False).st_mode):
                raise errors.InvalidArgument(f"layer entry {entry.name[:200]!r}: link to a directory: invalid argument")
            if not _same(source, base, parent, name):
                paths.remove_entry(parent, name)
                os.link(base, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            if stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
                try:
                    attributes.set_open(fd, entry)
                finally:
                    os.close(fd)
            else:
                attributes.set_named(parent, name, entry)
        finally:
            os.close(parent)

    def _source(self, path: bytes, base: bytes) -> int:
        """The directory of a link's target, good until the next search; the target is brought up from below if need be.

        Raises FileNotFoundError.
        """
        folder = self._folders.find(path)
        if not self._below or _exists(folder, base):
            return folder
        folder, canonical = self._folders.trace(path)
        lowers.copy_up(self._below, canonical + b"/" + base if canonical else base, folder, base)
        return folder

    def _make_node(self, parent: int, name: bytes, entry: Entry, data: Data) -> None:
        major, minor = entry.device
        if not (0 <= major <= _MAX_DEVICE and 0 <= minor <= _MAX_DEVICE):
            raise errors.InvalidArgument(
                f"layer entry {name[:200]!r}: device {major}:{minor}: out of range: invalid argument"
            )
        if entry.type != headers.FIFO and not self._devices:
            return
        kind = {headers.CHAR: stat.S_IFCHR, headers.DEVICE: stat.S_IFBLK, headers.FIFO: stat.S_IFIFO}[entry.type]
        paths.remove_entry(parent, name)
        os.mknod(name, kind | 0o600, os.makedev(major, minor) if entry.type != headers.FIFO else 0, dir_fd=parent)
        attributes.set_named(parent, name, entry)


def _exists(parent: int, name: bytes) -> bool:
    """Raises FileNotFoundError for a whiteout: what was there is gone."""
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if lowers.is_whiteout(status):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(name))
    return True


def _same(parent: int, name: bytes, other_parent: int, other: bytes) -> bool:
    try:
        status = os.stat(other, dir_fd=other_parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(status, os.stat(name, dir_fd=parent, follow_symlinks=False))
