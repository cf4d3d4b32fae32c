"""The store: which file is which blob, and in what order things become durable."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from moorage_content_local import ingests
from moorage_content_local.ingests import Ingest
from moorage_content_local.locks import Locks
from moorage_content_local.readers import LocalReader
from moorage_content_local.writers import LocalWriter
from moorage_sdk import digests, errors
from moorage_sdk.content import ContentStore, Info, Reader, Status, Writer
from moorage_sys import faults, paths, syncing


class LocalStore(ContentStore):
    """Blobs beneath ``root``, which nobody else writes to.

    A commit syncs the bytes, renames the file to its place and syncs the directory of that place, in this order; a
    crash in between leaves a whole ingest or a whole blob.
    """

    def __init__(self, root: Path) -> None:
        """Creates the directories, mode 0700, and removes what a crash left of ingests. Raises OSError."""
        self._blobs = root / "blobs"
        self._ingests = root / "ingest"
        self._locks = Locks()
        self._publishing = threading.Lock()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self._blobs, self._ingests, *(self._blobs / name for name in digests.LENGTHS)):
            folder.mkdir(mode=0o700, exist_ok=True)
            syncing.sync_directory(folder.parent)
        for folder in self._ingests.iterdir():
            if ingests.read(folder) is None:
                paths.remove_tree(folder)

    def info(self, digest: str) -> Info:
        try:
            return _info(digest, self._path(digest).stat(follow_symlinks=False))
        except FileNotFoundError:
            raise _not_found(digest) from None

    def walk(self) -> Iterator[Info]:
        for algorithm, length in sorted(digests.LENGTHS.items()):
            for name in sorted(entry.name for entry in (self._blobs / algorithm).iterdir()):
                if len(name) != length:
                    continue
                try:
                    yield self.info(f"{algorithm}:{name}")
                except (errors.NotFound, errors.InvalidArgument):
                    # Gone since the directory was read, or a file that is nobody's blob.
                    continue

    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        self.info(info.digest)
        raise errors.Unimplemented(f'content "{info.digest}": labels are kept by the metadata: not implemented')

    def delete(self, digest: str) -> None:
        try:
            self._path(digest).unlink()
        except FileNotFoundError:
            raise _not_found(digest) from None
        except OSError as error:
            raise faults.translate(error, f'content "{digest}"') from error

    def reader(self, digest: str) -> Reader:
        try:
            return LocalReader(self._path(digest), digest)
        except FileNotFoundError:
            raise _not_found(digest) from None
        except OSError as error:
            raise faults.translate(error, f'content "{digest}"') from error

    def writer(self, ref: str, *, size: int = 0, expected: str = "") -> Writer:
        if not ref:
            raise errors.InvalidArgument("ref must not be empty: invalid argument")
        if expected and self._path(expected).exists():
            raise errors.AlreadyExists(f'content "{expected}": already exists')
        self._locks.acquire(ref)
        try:
            with faults.translated(f'ingest "{ref}"'):
                return self._open(self._ingest(ref), size, expected)
        except BaseException:
            self._locks.release(ref)
            raise

    def status(self, ref: str) -> Status:
        return self._ingest(ref).status()

    def statuses(self) -> list[Status]:
        found = [ingests.read(folder) for folder in self._ingests.iterdir()]
        return sorted((status for status in found if status is not None), key=lambda status: status.ref)

    def abort(self, ref: str) -> None:
        self._locks.acquire(ref)
        try:
            ingest = self._ingest(ref)
            ingest.status()
            with faults.translated(f'ingest "{ref}"'):
                ingest.remove()
        finally:
            self._locks.release(ref)

    def _open(self, ingest: Ingest, size: int, expected: str) -> LocalWriter:
        before = ingests.read(ingest.folder)
        if before is None:
            ingest.create(size)
        elif size and before.total and size != before.total:
            raise errors.FailedPrecondition(
                f'ingest "{ingest.ref}": total {size} differs from {before.total} before: failed precondition'
            )
        algorithm = digests.split(expected)[0] if expected else "sha256"
        return LocalWriter(ingest, algorithm, self._publish, partial(self._locks.release, ingest.ref))

    def _publish(self, ingest: Ingest, digest: str) -> None:
        """Give the synced file of an ingest its name among the blobs."""
        target = self._path(digest)
        # Two references may bring the same blob at once; only one of them may say that it made it.
        with self._publishing:
            exists = target.exists()
            if not exists:
                ingest.data.rename(target)
        if not exists:
            syncing.sync_directory(target.parent)
        ingest.remove()
        if exists:
            raise errors.AlreadyExists(f'content "{digest}": already exists')

    def _path(self, digest: str) -> Path:
        algorithm, encoded = digests.split(digest)
        return self._blobs / algorithm / encoded

    def _ingest(self, ref: str) -> Ingest:
        return Ingest(self._ingests / ingests.name(ref), ref)


def _info(digest: str, status: os.stat_result) -> Info:
    return Info(digest, status.st_size, status.st_mtime_ns, status.st_mtime_ns)


def _not_found(digest: str) -> errors.NotFound:
    return errors.NotFound(f'content "{digest}": not found')
