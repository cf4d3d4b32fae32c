"""A content store in memory, with labels."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from moorage_sdk import digests, errors, masks
from moorage_sdk.content import ContentStore, Info, Reader, Status, Writer


@dataclass
class _Ingest:
    status: Status
    data: bytearray = field(default_factory=bytearray)
    locked: bool = False


class MemoryReader(Reader):
    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def read_at(self, offset: int, size: int) -> bytes:
        if not 0 <= offset <= len(self._data):
            raise errors.OutOfRange(f"offset {offset} of {len(self._data)}: out of range")
        return self._data[offset : offset + size]

    def close(self) -> None:
        return


class MemoryWriter(Writer):
    def __init__(self, store: MemoryStore, ref: str, algorithm: str) -> None:
        self._store, self._ref, self._algorithm = store, ref, algorithm
        self._ingest = store.ingests[ref]
        self._open = True

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self._check_open()
        self._ingest.data += data
        self._touch()
        return len(data)

    def truncate(self, size: int) -> None:
        if not 0 <= size <= len(self._ingest.data):
            raise errors.OutOfRange(f'ingest "{self._ref}": truncate to {size}: out of range')
        del self._ingest.data[size:]
        self._touch()

    def status(self) -> Status:
        return self._ingest.status

    def digest(self) -> str:
        return digests.of(bytes(self._ingest.data), self._algorithm)

    def commit(self, size: int = 0, expected: str = "", labels: Mapping[str, str] | None = None) -> str:
        self._check_open()
        self.close()
        data = bytes(self._ingest.data)
        digest = digests.of(data, digests.split(expected)[0] if expected else self._algorithm)
        if (size and size != len(data)) or (expected and expected != digest):
            raise errors.FailedPrecondition(f"unexpected commit {digest} of {len(data)} bytes: failed precondition")
        self._store.publish(self._ref, digest, data, labels or {})
        return digest

    def close(self) -> None:
        if self._open:
            self._open = self._ingest.locked = False

    def _touch(self) -> None:
        self._ingest.status = replace(self._ingest.status, offset=len(self._ingest.data), updated_at=time.time_ns())

    def _check_open(self) -> None:
        if not self._open:
            raise errors.FailedPrecondition(f'ingest "{self._ref}": writer is closed: failed precondition')


class MemoryStore(ContentStore):
    """``blobs`` and ``ingests`` may be looked at, and blobs damaged, by tests."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.infos: dict[str, Info] = {}
        self.ingests: dict[str, _Ingest] = {}
        self._guard = threading.Lock()

    def info(self, digest: str) -> Info:
        try:
            return self.infos[digests.validate(digest)]
        except KeyError:
            raise errors.NotFound(f'content "{digest}": not found') from None

    def walk(self) -> Iterator[Info]:
        for digest in sorted(self.infos):
            if digest in self.infos:
                yield self.infos[digest]

    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        before = self.info(info.digest)
        masks.check(paths, ("labels", "labels."), f'content "{info.digest}"')
        labels = masks.update_map(before.labels, info.labels, paths or ("labels",))
        self.infos[info.digest] = replace(before, labels=labels, updated_at=time.time_ns())
        return self.infos[info.digest]

    def delete(self, digest: str) -> None:
        self.info(digest)
        del self.infos[digest], self.blobs[digest]

    def reader(self, digest: str) -> Reader:
        self.info(digest)
        return MemoryReader(self.blobs[digest])

    def writer(self, ref: str, *, size: int = 0, expected: str = "") -> Writer:
        if not ref:
            raise errors.InvalidArgument("ref must not be empty: invalid argument")
        if expected and digests.validate(expected) in self.blobs:
            raise errors.AlreadyExists(f'content "{expected}": already exists')
        with self._guard:
            now = time.time_ns()
            ingest = self.ingests.setdefault(ref, _Ingest(Status(ref, 0, size, "", now, now)))
            if ingest.locked:
                raise errors.Unavailable(f'ref "{ref}" locked for some time: unavailable')
            if size and ingest.status.total and size != ingest.status.total:
                raise errors.FailedPrecondition(f'ingest "{ref}": total differs: failed precondition')
            ingest.locked = True
        return MemoryWriter(self, ref, digests.split(expected)[0] if expected else "sha256")

    def status(self, ref: str) -> Status:
        try:
            return self.ingests[ref].status
        except KeyError:
            raise errors.NotFound(f'ingest ref "{ref}": not found') from None

    def statuses(self) -> list[Status]:
        return [self.ingests[ref].status for ref in sorted(self.ingests)]

    def abort(self, ref: str) -> None:
        self.status(ref)
        if self.ingests[ref].locked:
            raise errors.Unavailable(f'ref "{ref}" locked for some time: unavailable')
        del self.ingests[ref]

    def publish(self, ref: str, digest: str, data: bytes, labels: Mapping[str, str]) -> None:
        """What a writer's commit does in the end."""
        with self._guard:
            del self.ingests[ref]
            if digest in self.blobs:
                raise errors.AlreadyExists(f'content "{digest}": already exists')
            now = time.time_ns()
            self.blobs[digest] = data
            self.infos[digest] = Info(digest, len(data), now, now, dict(labels))
