"""The namespaced view of content (``core/metadata/content.go``).

Names and labels are a namespace's own; bytes are shared by all. A blob is removed from the backend by garbage
collection only, once no namespace names it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from moorage_api.messages import events as messages
from moorage_metadata_lmdb import rows
from moorage_metadata_lmdb.backends import Blobs
from moorage_metadata_lmdb.changes import Change, Reading, Scope
from moorage_metadata_lmdb.ingests import IngestWriter
from moorage_metadata_lmdb.ledgers import Ledger
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_metadata_lmdb.rows import Ingest
from moorage_sdk import digests, errors, labels, masks
from moorage_sdk.content import ContentStore, Info, Reader, Status, Writer

LIFE = 24 * 3600 * 10**9
"""Nanoseconds that an ingest without a lease lives after it was last opened."""


class ContentView(ContentStore):
    """The content of one namespace."""

    def __init__(self, ledger: Ledger, blobs: Blobs, scope: Scope) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._scope = scope
        self._namespace = scope.namespace

    def info(self, digest: str) -> Info:
        digests.validate(digest)
        with self._ledger.read() as reading:
            return self._require(reading, digest)

    def walk(self) -> Iterator[Info]:
        return (row for _, row in self._ledger.rows(rows.BLOBS, self._namespace))

    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        digests.validate(info.digest)
        masks.check(paths, ("labels", "labels."), f'content info "{info.digest}"')

        def update(change: Change) -> Info:
            old = self._require(change, info.digest)
            merged = masks.update_map(old.labels, info.labels, paths or ("labels",))
            labels.validate(merged)
            new = replace(old, labels=merged, updated_at=time.time_ns())
            change.put(rows.BLOBS, (self._namespace, info.digest), new)
            return new

        return self._ledger.change(update)

    def delete(self, digest: str) -> None:
        digests.validate(digest)

        def delete(change: Change) -> None:
            self._require(change, digest)
            change.delete(rows.BLOBS, self._namespace, digest)
            change.release(self._scope, "content", digest)
            change.emit(self._namespace, "/content/delete", messages.ContentDelete(digest=digest))

        self._ledger.change(delete)

    def reader(self, digest: str) -> Reader:
        self.info(digest)
        return self._blobs.backend.reader(digest)

    def writer(self, ref: str, *, size: int = 0, expected: str = "") -> Writer:
        if not ref:
            raise errors.InvalidArgument("ref must not be empty: invalid argument")
        if expected:
            digests.validate(expected)
        self._blobs.references.take(self._namespace, ref)
        try:
            with self._blobs.gate.shared():
                return self._open(ref, size, expected)
        except BaseException:
            self._blobs.references.free(self._namespace, ref)
            raise

    def status(self, ref: str) -> Status:
        with self._ledger.read() as reading:
            row = reading.get(rows.INGESTS, self._namespace, ref)
        if row is None:
            raise _unknown(ref)
        try:
            return replace(self._blobs.backend.status(row.backend), ref=ref)
        except errors.NotFound:
            raise _unknown(ref) from None

    def statuses(self) -> list[Status]:
        found = []
        for _, row in self._ledger.rows(rows.INGESTS, self._namespace):
            try:
                found.append(replace(self._blobs.backend.status(row.backend), ref=row.ref))
            except errors.NotFound:
                continue  # it shares a blob, or was opened and never written
        return found

    def abort(self, ref: str) -> None:
        self._blobs.references.take(self._namespace, ref)
        try:
            with self._blobs.gate.shared():
                row = self._ledger.change(lambda change: self._forget(change, ref))
                try:
                    self._blobs.backend.abort(row.backend)
                except errors.NotFound:
                    return  # it shared a blob
        finally:
            self._blobs.references.free(self._namespace, ref)

    def _require(self, reading: Reading, digest: str) -> Info:
        if (row := reading.get(rows.BLOBS, self._namespace, digest)) is None:
            raise errors.NotFound(f"content digest {digest}: not found")
        return row

    def _open(self, ref: str, size: int, expected: str) -> Writer:
        shared = self._shareable(expected, size)
        row, fresh = self._ledger.change(lambda change: self._enter(change, ref, expected, shared is not None))
        if row is None:
            raise errors.AlreadyExists(f"content {expected}: already exists")
        if shared is not None:
            return IngestWriter(self._ledger, self._blobs, self._scope, row, shared=shared)
        try:
            # The expected digest was compared with this namespace's blobs already. The backend must not compare it with
            # everybody's: what another namespace has is no reason to refuse.
            opened = self._blobs.backend.writer(row.backend, size=size)
        except BaseException:
            if fresh:
                self._ledger.change(lambda change: self._forget(change, ref))
            raise
        return IngestWriter(self._ledger, self._blobs, self._scope, row, opened=opened)

    def _shareable(self, expected: str, size: int) -> Info | None:
        if not expected or not (self._blobs.shared or self._offered(expected)):
            return None
        try:
            info = self._blobs.backend.info(expected)
        except errors.NotFound:
            return None
        return info if size in (0, info.size) else None

    def _offered(self, digest: str) -> bool:
        with self._ledger.read() as reading:
            owners = [reading.get(rows.NAMESPACES, parts[2]) for parts in reading.index("blob", digest)]
        return any(owner is not None and owner.labels.get(labels.SHAREABLE) == "true" for owner in owners)

    def _enter(self, change: Change, ref: str, expected: str, share: bool) -> tuple[Ingest | None, bool]:
        """The row of the ingest and whether it is new; no row when the blob exists here, which is leased then."""
        if expected and change.has(rows.BLOBS, self._namespace, expected):
            change.hold(self._scope, "content", expected, Node(Kind.CONTENT, self._namespace, expected))
            return None, False
        change.enter(self._namespace)
        leased = change.hold(self._scope, "ingests", ref, Node(Kind.INGEST, self._namespace, ref))
        old = change.get(rows.INGESTS, self._namespace, ref)
        row = Ingest(
            ref,
            old.backend if old else f"{self._namespace}/{change.txn.next('ingest')}/{ref}",
            expected if share else "",
            (old.expires_at if old else 0) if leased else time.time_ns() + LIFE,
        )
        change.put(rows.INGESTS, (self._namespace, ref), row)
        return row, old is None

    def _forget(self, change: Change, ref: str) -> Ingest:
        row = change.delete(rows.INGESTS, self._namespace, ref)
        if row is None:
            raise _unknown(ref)
        change.release(self._scope, "ingests", ref)
        return row


def _unknown(ref: str) -> errors.NotFound:
    return errors.NotFound(f"reference {ref}: not found")
