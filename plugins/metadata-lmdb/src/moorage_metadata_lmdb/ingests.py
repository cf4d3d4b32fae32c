"""The namespaced writer of content (``namespacedWriter`` in ``core/metadata/content.go``).

While it *shares* a blob that the backend has, there is no ingest there: the offset stands at the end, and committing
adds a name. Writing or truncating first copies what is kept into an ingest of its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from moorage_api.messages import events as messages
from moorage_metadata_lmdb import rows
from moorage_metadata_lmdb.backends import Blobs
from moorage_metadata_lmdb.changes import Change, Scope
from moorage_metadata_lmdb.ledgers import Ledger
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_metadata_lmdb.rows import Ingest
from moorage_sdk import errors, labels
from moorage_sdk.content import Info, Status, Writer

_COPY = 1 << 20


class IngestWriter(Writer):
    """Either ``opened``, a backend's writer, or ``shared``, a backend's blob, is given."""

    def __init__(
        self,
        ledger: Ledger,
        blobs: Blobs,
        scope: Scope,
        row: Ingest,
        *,
        opened: Writer | None = None,
        shared: Info | None = None,
    ) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._scope = scope
        self._row = row
        self._inner = opened
        self._shared = shared or Info("")
        self._started = time.time_ns()
        self._open = True

    def write(self, data: bytes | bytearray | memoryview) -> int:
        if self._inner is None and not len(data):
            return 0
        return self._own(self._shared.size).write(data)

    def truncate(self, size: int) -> None:
        if self._inner is not None:
            self._inner.truncate(size)
        elif size > self._shared.size:
            raise errors.OutOfRange(f"ref {self._row.ref}: truncate to {size} of {self._shared.size}: out of range")
        else:
            self._own(size)

    def status(self) -> Status:
        if self._inner is None:
            size, digest = self._shared.size, self._shared.digest
            return Status(self._row.ref, size, size, digest, self._started, self._started)
        inner = self._inner.status()
        return Status(self._row.ref, inner.offset, inner.total, inner.expected, inner.started_at, inner.updated_at)

    def digest(self) -> str:
        return self._shared.digest if self._inner is None else self._inner.digest()

    def commit(self, size: int = 0, expected: str = "", labels: Mapping[str, str] | None = None) -> str:
        self._check_open()
        try:
            kept = _checked(labels or {})
            with self._blobs.gate.shared():
                digest, total = self._publish(size, expected)
                new = self._ledger.change(lambda change: self._record(change, digest, total, kept))
        finally:
            self.close()
        if not new:
            raise errors.AlreadyExists(f"content {digest}: already exists")
        return digest

    def close(self) -> None:
        if self._open:
            self._open = False
            try:
                if self._inner is not None:
                    self._inner.close()
            finally:
                self._blobs.references.free(self._scope.namespace, self._row.ref)

    def _check_open(self) -> None:
        if not self._open:
            raise errors.FailedPrecondition(f"ref {self._row.ref}: writer closed: failed precondition")

    def _own(self, size: int) -> Writer:
        """The backend's writer; when there is none yet, one that begins with ``size`` bytes of the shared blob."""
        self._check_open()
        if self._inner is None:
            inner = self._blobs.backend.writer(self._row.backend, size=0)
            try:
                self._copy(inner, size)
            except BaseException:
                inner.close()
                raise
            self._inner = inner
        return self._inner

    def _copy(self, inner: Writer, size: int) -> None:
        if inner.status().offset:
            inner.truncate(0)
        with self._blobs.backend.reader(self._shared.digest) as reader:
            for offset in range(0, size, _COPY):
                inner.write(reader.read_at(offset, min(_COPY, size - offset)))

    def _publish(self, size: int, expected: str) -> tuple[str, int]:
        """Make the bytes a blob of the backend; its digest and size."""
        offset = self.status().offset
        if size and size != offset:
            raise errors.FailedPrecondition(
                f'"{self._row.ref}" failed size validation: {offset} != {size}: failed precondition'
            )
        if self._inner is None:
            if expected and expected != self._shared.digest:
                raise errors.FailedPrecondition(f'"{self._row.ref}" unexpected digest: failed precondition')
            return self._shared.digest, offset
        digest = self._inner.digest()
        try:
            return self._inner.commit(offset, expected), offset
        except errors.AlreadyExists:
            return expected or digest, offset

    def _record(self, change: Change, digest: str, size: int, kept: Mapping[str, str]) -> bool:
        """Name the blob in this namespace; False when it has that name already."""
        namespace = self._scope.namespace
        change.delete(rows.INGESTS, namespace, self._row.ref, garbage=False)
        change.release(self._scope, "ingests", self._row.ref)
        change.hold(self._scope, "content", digest, Node(Kind.CONTENT, namespace, digest))
        if change.has(rows.BLOBS, namespace, digest):
            return False
        now = time.time_ns()
        change.enter(namespace)
        change.put(rows.BLOBS, (namespace, digest), Info(digest, size, now, now, kept))
        change.emit(namespace, "/content/create", messages.ContentCreate(digest=digest, size=size))
        return True


def _checked(values: Mapping[str, str]) -> dict[str, str]:
    labels.validate(values)
    return labels.stored(values)
