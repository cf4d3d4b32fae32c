"""Is a store's file safe to map? Answered before the daemon maps it.

A page that the tree names but the file lacks kills the reader with SIGBUS, so the answer for a doubtful file is sought
in a child process. Run as a script (``python -I validation.py DIRECTORY``) it opens the store read-only, walks every
page by writing a compact copy to /dev/null, then every row, and prints what is wrong. It imports lmdb alone, which
keeps the child at some 30 ms.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import lmdb

DATA = "data.mdb"
CLEAN = "clean"
_MAGIC = 0xBEEFC0DE  # MDB_MAGIC in mdb.c of LMDB 0.9
_META = struct.Struct("=16xII8x8xI44x48xQQ")  # page header, then MDB_meta: magic, version, page size, last page, txn


def seal(directory: Path) -> None:
    """Note that the store in ``directory`` was closed in order and looks as it does now.

    On a full disk the note is missing or short, and the next opening walks the store: no reason to fail.
    """
    mark = directory / CLEAN
    with contextlib.suppress(OSError):
        fd = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, _likeness(directory))
        finally:
            os.close(fd)


def unseal(directory: Path) -> bool:
    """Whether the file is the one that was closed in order; the note is taken away, for the file will now change."""
    mark = directory / CLEAN
    try:
        return mark.read_bytes() == _likeness(directory)
    except OSError:
        return False
    finally:
        _take_away(mark)


def _take_away(mark: Path) -> None:
    """For good: LMDB syncs data alone, so after a power loss the file could look as it did when the note was made."""
    try:
        mark.unlink()
    except FileNotFoundError:
        return
    folder = os.open(mark.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _likeness(directory: Path) -> bytes:
    status = (directory / DATA).stat()
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns}\n".encode()


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes the file has, and bytes it needs according to its newest meta page."""

    size: int
    needed: int

    @property
    def complete(self) -> bool:
        return 0 < self.needed <= self.size


def extent(directory: Path) -> Extent:
    """Read both meta pages without mapping the file; ``needed`` is 0 when they are not those of a store."""
    with open(directory / DATA, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        first = _meta(file.read(_META.size))
        if first is None:
            return Extent(size, 0)
        file.seek(first.page)
        second = _meta(file.read(_META.size)) or first
    newest = max(first, second, key=lambda meta: meta.txn)
    return Extent(size, (newest.last + 1) * first.page)


class _Meta(NamedTuple):
    page: int
    last: int
    txn: int


def _meta(raw: bytes) -> _Meta | None:
    if len(raw) < _META.size:
        return None
    magic, version, page, last, txn = _META.unpack(raw)
    return _Meta(page, last, txn) if (magic, version) == (_MAGIC, 1) and 256 <= page <= 65536 else None


def verdict(directory: Path, *, timeout: float = 300.0) -> str:
    """Walk the store in a child process; the empty string when it is sound, else what is wrong with it."""
    command = [sys.executable, "-I", __file__, os.fspath(directory)]
    try:
        child = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return f"not validated within {timeout:.0f} seconds"
    if child.returncode < 0:
        return f"truncated: the validation died of {signal.Signals(-child.returncode).name}"
    if child.returncode:
        return child.stdout.decode("utf-8", "replace").strip() or child.stderr.decode("utf-8", "replace").strip()
    return ""


def walk(directory: str) -> None:
    """Touch every page and row of the store.

    Raises:
        lmdb.Error: the first damage found.
    """
    sink = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        with lmdb.open(directory, readonly=True, lock=False, create=False, max_dbs=256) as env:
            env.copyfd(sink, compact=True)
            with env.begin(buffers=True) as txn:
                for name in [bytes(key) for key, _ in txn.cursor()]:
                    for _ in txn.cursor(env.open_db(name, txn=txn, create=False)):
                        continue
    finally:
        os.close(sink)


if __name__ == "__main__":
    try:
        walk(sys.argv[1])
    except lmdb.Error as error:
        sys.stdout.write(f"{type(error).__name__}: {error}\n")
        sys.exit(1)
