"""The directory of one ingest: ``data`` and the small files beside it that tell what it is."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from moorage_content_local import timestamps
from moorage_sdk import errors
from moorage_sdk.content import Status
from moorage_sys import files, paths

CHUNK = 1 << 20
"""Bytes hashed at a time: enough for hashlib to let other threads run meanwhile."""


@dataclass(frozen=True)
class Ingest:
    """``folder`` is named by the hash of the reference, for references are long and hold slashes."""

    folder: Path
    ref: str

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def create(self, total: int) -> None:
        """Lay out an empty ingest, in place of whatever a crash left here. Raises OSError."""
        paths.remove_tree(self.folder)
        self.folder.mkdir(mode=0o700)
        began = time.time_ns()
        now = timestamps.to_text(began)
        small = {"startedat": now, "updatedat": now, **({"total": str(total)} if total else {})}
        for name, text in small.items():
            files.replace(self.folder / name, text.encode())
        os.close(os.open(self.data, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        os.utime(self.data, ns=(began, began))  # updated when it was started, as long as nothing is written
        # Last, because a folder without its reference is one that a crash left half made.
        files.replace(self.folder / "ref", self.ref.encode("utf-8", "surrogateescape"))

    def status(self) -> Status:
        """Raises errors.NotFound when there is none, or only the rest of one."""
        found = read(self.folder)
        if found is None:
            raise errors.NotFound(f'ingest ref "{self.ref}": not found')
        return found

    def touch(self, updated_at: int) -> None:
        """Record the time of the last write. Raises OSError."""
        files.replace(self.folder / "updatedat", timestamps.to_text(updated_at).encode())

    def remove(self) -> None:
        """Raises OSError."""
        paths.remove_tree(self.folder)


def name(ref: str) -> str:
    """The name of an ingest's folder: not a digest of content, only a name of constant length."""
    return hashlib.sha256(ref.encode("utf-8", "surrogateescape")).hexdigest()


def read(folder: Path) -> Status | None:
    """The status of the ingest in a folder, or None when it holds no whole one.

    It may just have been committed, or a power loss took what the small files say: a reference that is not the one
    that the folder is named by is such a case.
    """
    try:
        data = (folder / "data").stat()
        ref = (folder / "ref").read_bytes().decode("utf-8", "surrogateescape")
        started = timestamps.from_text((folder / "startedat").read_text("ascii"))
        updated = timestamps.from_text((folder / "updatedat").read_text("ascii"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if name(ref) != folder.name:
        return None
    # The file is written at the end only; the data tell of writes in between.
    return Status(ref, data.st_size, _total(folder), "", started, max(updated, data.st_mtime_ns))


def _total(folder: Path) -> int:
    try:
        text = (folder / "total").read_bytes()
    except FileNotFoundError:
        return 0
    return int(text) if text.isdigit() else 0
