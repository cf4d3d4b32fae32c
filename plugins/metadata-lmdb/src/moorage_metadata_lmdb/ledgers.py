"""The ledger: the store with everything that must happen around a transaction."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from moorage_kv import State, Store, WriteTxn
from moorage_metadata_lmdb.changes import Change, Reading
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_metadata_lmdb.outbox import Outbox
from moorage_metadata_lmdb.tables import Parts, Table
from moorage_sdk import errors, metadata
from moorage_sdk.events import Exchange

T = TypeVar("T")
R = TypeVar("R")

PAGE = 1000
"""Rows that are read in one snapshot while listing: a long snapshot keeps pages from being reused."""

_BLOCK = 1000
"""Sequence numbers reserved at once; a crash skips the rest of a block."""


class Ledger:
    """Reads and changes rows; hands out sequence numbers; remembers what changed for the garbage collector."""

    def __init__(self, store: Store, exchange: Exchange) -> None:
        self._store = store
        self._outbox = Outbox(exchange)
        self._watchers: list[Callable[[metadata.Change], None]] = []
        self._touched: set[Node] | None = None
        self._dirty: set[str] = set()
        self._numbers: Iterator[int] = iter(())
        # Two locks: whoever wants numbers may wait for the writer's thread, which notes what is dirty.
        self._numbering = threading.Lock()
        self._noting = threading.Lock()
        with store.read() as txn:
            self._outbox.replay(txn)

    @contextlib.contextmanager
    def read(self) -> Iterator[Reading]:
        """A snapshot, to be kept short."""
        with self._store.read() as txn:
            yield Reading(txn)

    def change(self, fn: Callable[[Change], T]) -> T:
        """Run ``fn`` in a write transaction and return after its commit."""
        try:
            return self._store.write(lambda txn: self._run(Change(txn, self._touch), fn))
        except errors.ResourceExhausted:
            # What is full may have garbage in it.
            self._announce(metadata.Change.DELETION)
            raise

    def rows(self, table: Table[R], *parts: str) -> Iterator[tuple[Parts, R]]:
        """Rows below ``parts``, page by page; what changes meanwhile may be seen or not."""
        after: Parts = ()
        while True:
            with self.read() as reading:
                page = list(itertools.islice(reading.scan(table, *parts, after=after), PAGE))
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1][0]

    def number(self) -> int:
        """A number that no call ever returned before, also before a restart."""
        with self._numbering:
            number = next(self._numbers, None)
            if number is None:
                block = self._store.write(lambda txn: txn.next("backend"))
                self._numbers = iter(range(block * _BLOCK, (block + 1) * _BLOCK))
                number = next(self._numbers)
            return number

    def watch(self, changed: Callable[[metadata.Change], None]) -> None:
        """Call ``changed`` after every commit that changed something."""
        self._watchers.append(changed)

    def arm(self) -> None:
        """Begin to remember what is touched.

        A snapshot opened after this call shows all that is not remembered: it runs on the writer's thread, behind every
        change that did its work before, and returns after their commit.
        """

        def arm(txn: WriteTxn) -> None:
            self._touched = set()

        self._store.write(arm)

    def disarm(self) -> set[Node]:
        """Objects created or changed, and resources leased, since ``arm``; remember no more. Only inside a change."""
        touched, self._touched = self._touched or set(), None
        return touched

    def soil(self, backend: str) -> None:
        """Note that a backend may hold what no row knows: ``content``, or the name of a snapshotter."""
        with self._noting:
            self._dirty.add(backend)

    @property
    def dirty(self) -> set[str]:
        """The backends that ``cleanse`` would return."""
        with self._noting:
            return set(self._dirty)

    def cleanse(self) -> set[str]:
        """The backends noted by ``soil`` since the last call."""
        with self._noting:
            dirty, self._dirty = self._dirty, set()
        return dirty

    def close(self) -> None:
        """Commit what is queued and release the store."""
        if self._store.state is State.OPEN:
            self._store.write(self._outbox.trim)
        self._store.close()

    def _touch(self, node: Node) -> None:
        if self._touched is not None:
            self._touched.add(node)

    def _run(self, change: Change, fn: Callable[[Change], T]) -> T:
        result = fn(change)
        self._outbox.record(change.txn, change.events)
        change.txn.after_commit(lambda: self._committed(change))
        return result

    def _committed(self, change: Change) -> None:
        for node in change.deleted:
            for backend in soiled(node):
                self.soil(backend)
        if change.announced:
            self._announce(metadata.Change.DELETION if change.deleted else metadata.Change.MUTATION)

    def _announce(self, what: metadata.Change) -> None:
        for changed in self._watchers:
            changed(what)


def soiled(node: Node) -> tuple[str, ...]:
    """The backend in which the removal of ``node`` may leave something, if there is one."""
    if node.kind in (Kind.CONTENT, Kind.INGEST):
        return ("content",)
    return (node.key.partition("/")[0],) if node.kind is Kind.SNAPSHOT else ()


def exists(kind: str, name: str) -> errors.AlreadyExists:
    """The error for a name that is taken."""
    return errors.AlreadyExists(f'{kind} "{name}": already exists')


def missing(kind: str, name: str) -> errors.NotFound:
    """The error for a name that nobody has."""
    return errors.NotFound(f'{kind} "{name}": not found')
