"""Which events were taken, so that one whose answer was lost is taken once; also when it was lost with the daemon.

A file of SHA-256 digests, 32 bytes each. It is written without fsync: only our death is to be survived, not the
machine's, with which all who send such events end, too.
"""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from pathlib import Path

from moorage_sys import files

log = logging.getLogger(__name__)

SIZE = 32
LIMIT = 4096
"""Events among which one that came twice is recognised."""


class Receipts:
    """Without a ``path`` they are forgotten with us. A file that cannot be written is logged, and costs no event."""

    def __init__(self, path: Path | None = None, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._written = 0
        self._fd = -1
        if path is not None:
            self._load(path)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._known

    def __len__(self) -> int:
        return len(self._known)

    def add(self, digest: bytes) -> None:
        """It was taken. An event that was refused may come again."""
        if digest in self._known:
            return
        self._known[digest] = None
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        try:
            self._write(digest)
        except OSError as error:
            log.warning("events that were taken: not written down: %s", error)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _load(self, path: Path) -> None:
        try:
            data = path.read_bytes() if path.exists() else b""
            for start in range(0, len(data) - SIZE + 1, SIZE):
                self._known[data[start : start + SIZE]] = None
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
            self._rewrite(path)
        except OSError as error:
            log.warning("events that were taken: not read: %s", error)

    def _write(self, digest: bytes) -> None:
        if self._path is None:
            return
        if self._written >= 2 * self._limit:
            self._rewrite(self._path)
        elif self._fd >= 0:
            os.write(self._fd, digest)
            self._written += 1

    def _rewrite(self, path: Path) -> None:
        """Only those that are known still, and whole."""
        self.close()
        files.replace(path, b"".join(self._known))
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._written = len(self._known)
