"""The content of regular files."""

from __future__ import annotations

import os
from collections.abc import Iterator

from moorage_differ_walking.entries import Entry

Data = Iterator[memoryview]


def write(fd: int, data: Data) -> None:
    """Write everything to an open file. Raises OSError, and what ``data`` raises."""
    for piece in data:
        while piece:
            piece = piece[os.write(fd, piece) :]


def write_sparse(fd: int, entry: Entry, data: Data) -> None:
    """Write pieces to their places, so that holes stay holes. Raises as ``write``."""
    rest = memoryview(b"")
    for offset, length in entry.extents or ():
        os.lseek(fd, offset, os.SEEK_SET)
        while length:
            rest = rest or next(data)
            written = os.write(fd, rest[:length])
            rest, length = rest[written:], length - written
    os.ftruncate(fd, entry.length)
