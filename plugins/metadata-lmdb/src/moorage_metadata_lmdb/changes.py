"""Transactions with typed rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from moorage_kv import ReadTxn, WriteTxn
from moorage_metadata_lmdb import rows, tables
from moorage_metadata_lmdb.nodes import Node
from moorage_metadata_lmdb.tables import Parts, Table
from moorage_sdk import errors
from moorage_sdk.namespaces import Namespace

R = TypeVar("R")


@dataclass(frozen=True)
class Scope:
    """Where a view works: a namespace, and the lease that gets what is created, ``""`` for none."""

    namespace: str
    lease: str = ""


@dataclass(frozen=True)
class Event:
    """An event to be published once the change it announces is durable. ``message`` is a protobuf message."""

    namespace: str
    topic: str
    message: Any


class Reading:
    """A snapshot of all rows."""

    def __init__(self, txn: ReadTxn) -> None:
        self._txn = txn

    def get(self, table: Table[R], *parts: str) -> R | None:
        """The row, or None."""
        value = self._txn.table(table.name).get(tables.key(*parts))
        return None if value is None else table.load(parts, value)

    def has(self, table: Table[Any], *parts: str) -> bool:
        """Whether the row exists."""
        return tables.key(*parts) in self._txn.table(table.name)

    def scan(self, table: Table[R], *parts: str, after: Parts = ()) -> Iterator[tuple[Parts, R]]:
        """Rows below ``parts`` in order, from the first behind ``after``."""
        start = tables.key(*after) if after else b""
        for name, value in self._txn.table(table.name).scan(tables.prefix(*parts), after=start):
            own = tables.parts(name)
            yield own, table.load(own, value)

    def any(self, table: Table[Any], *parts: str) -> bool:
        """Whether there is a row below ``parts``."""
        return self._txn.table(table.name).first(tables.prefix(*parts)) is not None

    def index(self, *parts: str) -> Iterator[Parts]:
        """Index entries below ``parts``, whole."""
        return (tables.parts(name) for name in self._txn.table(tables.INDEX).scan_keys(tables.prefix(*parts)))

    def entries(self, *parts: str) -> Iterator[bytes]:
        """The index entry ``parts``, if it is there, and those below."""
        index, own = self._txn.table(tables.INDEX), tables.key(*parts)
        if own in index:
            yield own
        yield from index.scan_keys(tables.prefix(*parts))

    def known(self, *parts: str) -> bool:
        """Whether there is an index entry ``parts``, or one below."""
        return next(self.entries(*parts), None) is not None


class Change(Reading):
    """A write transaction: rows, their index entries, events, and what garbage collection must hear of."""

    def __init__(self, txn: WriteTxn, touch: Callable[[Node], None]) -> None:
        super().__init__(txn)
        self.txn = txn
        self.events: list[Event] = []
        self.deleted: list[Node] = []
        self.announced = True
        self.touch = touch

    def put(self, table: Table[R], parts: Parts, row: R) -> None:
        """Create or replace a row."""
        old = self.get(table, *parts) if table.kind or table is rows.PROMOTIONS else None
        self._reindex(set() if old is None else set(table.index(parts, old)), set(table.index(parts, row)))
        self.txn.table(table.name).put(tables.key(*parts), table.dump(row))
        if (node := table.node(parts)) is not None:
            self.touch(node)

    def delete(self, table: Table[R], *parts: str, garbage: bool = True) -> R | None:
        """Remove a row and return it; None when there was none.

        ``garbage`` says whether that may leave something for the garbage collector.
        """
        old = self.get(table, *parts)
        if old is None and not self.has(table, *parts):
            return None
        if old is not None:
            self._reindex(set(table.index(parts, old)), set())
        self.txn.table(table.name).delete(tables.key(*parts))
        if garbage and (node := table.node(parts)) is not None:
            self.deleted.append(node)
        return old

    def clear(self, table: Table[Any], *parts: str) -> None:
        """Remove all rows below ``parts``."""
        for own, _ in self.scan(table, *parts):
            self.delete(table, *own)

    def emit(self, namespace: str, topic: str, message: Any) -> None:
        """Publish an event after the commit."""
        self.events.append(Event(namespace, topic, message))

    def enter(self, namespace: str) -> None:
        """Make sure that the namespace is listed: any creation in it creates it."""
        if not self.has(rows.NAMESPACES, namespace):
            self.put(rows.NAMESPACES, (namespace,), Namespace(namespace))

    def hold(self, scope: Scope, type: str, id: str, node: Node) -> bool:
        """Add a resource to the scope's lease; False when the scope has none.

        Raises:
            errors.NotFound: the lease does not exist.
        """
        if not scope.lease:
            return False
        if not self.has(rows.LEASES, scope.namespace, scope.lease):
            raise errors.NotFound("lease does not exist: not found")
        self.put(rows.HOLDINGS, (scope.namespace, scope.lease, type, id), None)
        self.touch(node)
        return True

    def release(self, scope: Scope, type: str, id: str) -> None:
        """Take a resource off the scope's lease."""
        if scope.lease:
            self.delete(rows.HOLDINGS, scope.namespace, scope.lease, type, id)

    def _reindex(self, old: set[bytes], new: set[bytes]) -> None:
        index = self.txn.table(tables.INDEX)
        for name in old - new:
            index.delete(name)
        for name in new - old:
            index.put(name, b"")


def require(reading: Reading, path: tuple[str, str], key: str, kind: str = "snapshot") -> rows.Snapshot:
    """The row of the snapshot ``key`` below ``path``, namespace and snapshotter. Raises errors.NotFound."""
    if (row := reading.get(rows.SNAPSHOTS, *path, key)) is None:
        raise errors.NotFound(f"{kind} {key} does not exist: not found")
    return row
