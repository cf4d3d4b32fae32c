"""Directory trees as values, to compare what two of them hold."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Node:
    """``data`` is the digest of a file, the target of a link or the number of a device."""

    kind: str
    mode: int
    owner: tuple[int, int]
    data: str
    xattrs: tuple[tuple[str, bytes], ...] = ()
    mtime: int = 0
    same_as: str = ""


def read(root: str | os.PathLike[str], *, times: bool = False, hidden: tuple[str, ...] = ()) -> dict[str, Node]:
    """All beneath ``root`` by relative path, the root as ``.``; xattrs that begin with one of ``hidden`` are left out.

    Of several names of one file all but the first tell that one in ``same_as``. Times of modification, in seconds, only
    if asked for: making a tree changes those of directories.
    """
    nodes: dict[str, Node] = {}
    first: dict[tuple[int, int], str] = {}
    pending = ["."]
    while pending:
        path = pending.pop()
        place = Path(root, path)
        status = place.lstat()
        if stat.S_ISDIR(status.st_mode):
            pending.extend(sorted((str(Path(path, entry.name)) for entry in place.iterdir()), reverse=True))
        same = ""
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            same = first.setdefault((status.st_dev, status.st_ino), path)
        nodes[path] = Node(
            kind=stat.filemode(status.st_mode)[0],
            mode=stat.S_IMODE(status.st_mode),
            owner=(status.st_uid, status.st_gid),
            data=_data(place, status),
            xattrs=_xattrs(place, hidden),
            mtime=int(status.st_mtime) if times else 0,
            same_as=same if same != path else "",
        )
    return nodes


def _data(place: Path, status: os.stat_result) -> str:
    if stat.S_ISREG(status.st_mode):
        with open(place, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if stat.S_ISLNK(status.st_mode):
        return str(place.readlink())
    if stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode):
        return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return ""


def _xattrs(place: Path, hidden: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    names = os.listxattr(place, follow_symlinks=False)
    shown = sorted(name for name in names if not hidden or not name.startswith(hidden))
    return tuple((name, os.getxattr(place, name, follow_symlinks=False)) for name in shown)
