"""An open ingest."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from moorage_content_local.ingests import CHUNK, Ingest
from moorage_sdk import digests, errors
from moorage_sdk.content import Status, Writer
from moorage_sys import faults

Publish = Callable[[Ingest, str], None]


class LocalWriter(Writer):
    """Appends to an ingest and hashes on the way. ``publish`` makes the file a blob, ``release`` gives up the lock."""

    def __init__(self, ingest: Ingest, algorithm: str, publish: Publish, release: Callable[[], None]) -> None:
        """Hashes again what the ingest holds. Raises OSError, errors.NotFound."""
        self._ingest = ingest
        self._publish = publish
        self._release = release
        self._status = ingest.status()
        self._algorithm = algorithm
        self._fd = os.open(ingest.data, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self._offset = os.fstat(self._fd).st_size
            self._hash = self._hash_file(algorithm, self._offset)
        except BaseException:
            os.close(self._fd)
            raise
        self._updated_at = self._status.updated_at

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self._check_open()
        view = memoryview(data).cast("B")
        with faults.translated(f'ingest "{self._ingest.ref}"'):
            done = 0
            while done < len(view):
                written = os.pwrite(self._fd, view[done:], self._offset)
                # Hashed piece by piece: when the disk is full in the middle, offset and digest still match the file.
                self._hash.update(view[done : done + written])
                self._offset += written
                done += written
        self._updated_at = time.time_ns()
        return len(view)

    def truncate(self, size: int) -> None:
        self._check_open()
        if not 0 <= size <= self._offset:
            raise errors.OutOfRange(f'ingest "{self._ingest.ref}": truncate {self._offset} to {size}: out of range')
        with faults.translated(f'ingest "{self._ingest.ref}"'):
            self._hash = self._hash_file(self._algorithm, size)
            os.ftruncate(self._fd, size)
        self._offset = size
        self._updated_at = time.time_ns()

    def status(self) -> Status:
        before = self._status
        return Status(before.ref, self._offset, before.total, "", before.started_at, self._updated_at)

    def digest(self) -> str:
        return f"{self._algorithm}:{self._hash.hexdigest()}"

    def commit(self, size: int = 0, expected: str = "", labels: Mapping[str, str] | None = None) -> str:
        self._check_open()
        if expected:
            digests.validate(expected)
        try:
            return self._commit(size, expected)
        finally:
            self.close()

    def close(self) -> None:
        if self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        try:
            if self._ingest.folder.exists():
                with faults.translated(f'ingest "{self._ingest.ref}"'):
                    self._ingest.touch(self._updated_at)
        except errors.ResourceExhausted:
            # On a full disk the time of the last write is told by the data file itself.
            return
        finally:
            self._release()

    def _commit(self, size: int, expected: str) -> str:
        self._sync()
        if self._offset != os.fstat(self._fd).st_size:
            raise errors.DataLoss(f'ingest "{self._ingest.ref}": changed by somebody else: data loss')
        if size and size != self._offset:
            message = f"unexpected commit size {self._offset}, expected {size}: failed precondition"
            raise errors.FailedPrecondition(message)
        algorithm = digests.split(expected)[0] if expected else self._algorithm
        if algorithm != self._algorithm:
            self._hash, self._algorithm = self._hash_file(algorithm, self._offset), algorithm
        if expected and expected != self.digest():
            message = f"unexpected commit digest {self.digest()}, expected {expected}: failed precondition"
            raise errors.FailedPrecondition(message)
        with faults.translated(f'content "{self.digest()}"'):
            os.fchmod(self._fd, 0o444)
            now = time.time_ns()  # "now" of the kernel is that of its last tick, which may be before the commit began
            os.utime(self._fd, ns=(now, now))
            self._publish(self._ingest, self.digest())
        return self.digest()

    def _sync(self) -> None:
        """Bytes first. The kernel forgets what it could not write, so that trying again would succeed without them."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            self._ingest.remove()
            if error.errno in (errno.ENOSPC, errno.EDQUOT):  # file systems that allocate late tell it here
                raise errors.ResourceExhausted(
                    f'ingest "{self._ingest.ref}": {error.strerror}: dropped: resource exhausted',
                    hint="free some space",
                ) from error
            raise errors.DataLoss(
                f'ingest "{self._ingest.ref}": {error.strerror}: dropped: data loss',
                hint="see the kernel log for the disk's error",
            ) from error

    def _hash_file(self, algorithm: str, size: int) -> Any:
        hashed = digests.hasher(algorithm)
        position = 0
        while position < size:
            piece = os.pread(self._fd, min(CHUNK, size - position), position)
            if not piece:
                raise errors.DataLoss(f'ingest "{self._ingest.ref}": ends at {position} of {size}: data loss')
            hashed.update(piece)
            position += len(piece)
        return hashed

    def _check_open(self) -> None:
        if self._fd < 0:
            raise errors.FailedPrecondition(f'ingest "{self._ingest.ref}": writer is closed: failed precondition')
