"""Copies of whole trees: owners, modes, times, extended attributes, hard links, holes and device nodes included."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = _READ | os.O_DIRECTORY
_CHUNK = 1 << 30


@dataclass(slots=True)
class _Level:
    """A directory being copied: both sides, its path beneath the root, and what is left to copy in it."""

    source: int
    target: int
    path: bytes
    pending: list[os.DirEntry[str]]


def copy_tree(source: os.PathLike[str], target: os.PathLike[str]) -> None:
    """Make the existing directory ``target`` what ``source`` is. Nobody may change either meanwhile. Raises OSError."""
    levels: list[_Level] = []
    root = os.open(target, _DIRECTORY)
    links: dict[tuple[int, int], bytes] = {}
    try:
        levels.append(_level(os.open(source, _DIRECTORY), root, os.curdir, b""))
        while levels:
            level = levels[-1]
            if not level.pending:
                # Last of all, because whatever is made in a directory changes its times.
                _copy_attributes(level.source, level.target)
                _close(levels.pop())
                continue
            entry = level.pending.pop()
            if entry.is_dir(follow_symlinks=False):
                levels.append(_enter(level, entry.name))
            else:
                _copy_entry(level, entry.name, root, links)
    finally:
        for level in levels:
            _close(level)
        os.close(root)


def _level(source: int, parent: int, name: str, path: bytes) -> _Level:
    """The level of ``source``, which it owns from now on, and of the directory ``name`` in ``parent``."""
    try:
        with os.scandir(source) as found:
            entries = list(found)
        return _Level(source, os.open(name, _DIRECTORY, dir_fd=parent), path, entries)
    except BaseException:
        os.close(source)
        raise


def _close(level: _Level) -> None:
    os.close(level.source)
    os.close(level.target)


def _enter(level: _Level, name: str) -> _Level:
    os.mkdir(name, 0o700, dir_fd=level.target)
    source = os.open(name, _DIRECTORY, dir_fd=level.source)
    return _level(source, level.target, name, _join(level.path, name))


def _join(path: bytes, name: str) -> bytes:
    return path + b"/" + os.fsencode(name) if path else os.fsencode(name)


def _copy_entry(level: _Level, name: str, root: int, links: dict[tuple[int, int], bytes]) -> None:
    status = os.stat(name, dir_fd=level.source, follow_symlinks=False)
    identity = (status.st_dev, status.st_ino)
    if identity in links:
        os.link(links[identity], name, src_dir_fd=root, dst_dir_fd=level.target, follow_symlinks=False)
        return
    if status.st_nlink > 1:
        links[identity] = _join(level.path, name)
    if stat.S_ISREG(status.st_mode):
        _copy_file(level, name)
        return
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=level.source), name, dir_fd=level.target)  # has no dir_fd
    else:
        os.mknod(name, status.st_mode, status.st_rdev, dir_fd=level.target)
    os.chown(name, status.st_uid, status.st_gid, dir_fd=level.target, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=level.target)
    times = (status.st_atime_ns, status.st_mtime_ns)
    os.utime(name, ns=times, dir_fd=level.target, follow_symlinks=False)


def _copy_file(level: _Level, name: str) -> None:
    source = os.open(name, _READ, dir_fd=level.source)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        target = os.open(name, flags, 0o600, dir_fd=level.target)
        try:
            _copy_data(source, target)
            _copy_attributes(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _copy_data(source: int, target: int) -> None:
    """Copy data only, so that holes stay holes; copy_file_range(2) shares blocks where the file system can."""
    size = os.fstat(source).st_size
    os.ftruncate(target, size)
    position = 0
    while position < size:
        try:
            start = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(source, start, os.SEEK_HOLE)
        while start < end:
            copied = os.copy_file_range(source, target, min(end - start, _CHUNK), start, start)
            if not copied:
                raise OSError(errno.EIO, "file shrank while being copied")
            start += copied
        position = end


def _copy_attributes(source: int, target: int) -> None:
    """Owner first: changing it takes setuid bits and capabilities away."""
    status = os.fstat(source)
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(source):
        os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
