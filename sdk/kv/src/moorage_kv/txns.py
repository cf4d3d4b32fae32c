"""Transactions and the tables they open.

Bytes that leave a table are copies; no cursor outlives a call. A scan reads a chunk, closes its cursor and starts the
next chunk behind the last row, so the table may be changed while it is scanned.
"""

from __future__ import annotations

import itertools
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import lmdb

from moorage_kv import faults, keys
from moorage_sdk import errors

CHUNK = 256
SYSTEM = "_system"
_COUNTER = struct.Struct(">Q")


class ReadTxn:
    """A snapshot of the store. Used by one thread at a time, and only until its ``with`` block ends."""

    def __init__(self, raw: Any, tables: Mapping[str, Any], path: str) -> None:
        self._raw = raw
        self._tables = tables
        self._path = path

    def table(self, name: str) -> ReadTable:
        """The table ``name``, one of those given to ``Store.open``."""
        return ReadTable(self, self._handle(name))

    def counter(self, name: str) -> int:
        """The last number that ``WriteTxn.next`` gave for ``name``, 0 before the first."""
        value = ReadTable(self, self._tables[SYSTEM]).get(b"counter/" + name.encode())
        return _COUNTER.unpack(value)[0] if value else 0

    def _handle(self, name: str) -> Any:
        if name not in self._tables or name == SYSTEM:
            raise errors.Internal(f'table "{name}" of store "{self._path}": not opened')
        return self._tables[name]

    def _live(self) -> Any:
        if self._raw is None:
            raise errors.Internal(f'store "{self._path}": transaction used after its end')
        return self._raw

    def _end(self) -> None:
        self._raw = None


class WriteTxn(ReadTxn):
    """A transaction that changes the store; lives while the function given to ``Store.write`` runs, on its thread."""

    def __init__(self, raw: Any, tables: Mapping[str, Any], path: str) -> None:
        super().__init__(raw, tables, path)
        self._thread = threading.get_ident()
        self._hooks: list[Callable[[], None]] = []

    def table(self, name: str) -> WriteTable:
        return WriteTable(self, self._handle(name))

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Call ``hook`` on the writer thread once the commit reached the disk, before anybody is told.

        Hooks run in the order of the transactions, so what they publish is in order, too. They must not block; what
        they raise is logged. Nothing is called for a transaction that fails.
        """
        self._hooks.append(hook)

    def next(self, name: str) -> int:
        """The next number of the sequence ``name``: 1, 2, and so on, never the same twice, also after a restart."""
        number = self.counter(name) + 1
        WriteTable(self, self._tables[SYSTEM]).put(b"counter/" + name.encode(), _COUNTER.pack(number))
        return number

    def _live(self) -> Any:
        if threading.get_ident() != self._thread:
            # LMDB lets another thread commit and then releases the robust mutex on the wrong thread.
            raise errors.Internal(f'store "{self._path}": write transaction used by another thread')
        return super()._live()


class ReadTable:
    """Rows of bytes, in the byte order of their keys."""

    def __init__(self, txn: ReadTxn, handle: Any) -> None:
        self._txn = txn
        self._handle = handle

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key``, or None."""
        if not key:
            return None
        name = keys.stored(key)
        value = self._txn._live().get(name, db=self._handle)
        return value if value is None else keys.unpack(name, value)[1]

    def __contains__(self, key: bytes) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        return int(self._txn._live().stat(self._handle)["entries"])

    def scan(self, prefix: bytes = b"", *, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows whose keys start with ``prefix``, in order, from the first one greater than ``after``."""
        rows = itertools.groupby(self._raw_rows(max(prefix, after)), lambda row: keys.group(row[0]))
        for shared, group in rows:
            # A short key that equals the prefix of long ones falls into their group and sorts before them.
            for key, value in sorted(keys.unpack(*row) for row in group):
                if key.startswith(prefix) and (key > after or not after):
                    yield key, value
            if shared[: len(prefix)] > prefix[: keys.LIMIT]:
                return

    def scan_keys(self, prefix: bytes = b"", *, after: bytes = b"") -> Iterator[bytes]:
        """The keys of ``scan``."""
        return (key for key, _ in self.scan(prefix, after=after))

    def first(self, prefix: bytes = b"", *, after: bytes = b"") -> bytes | None:
        """The first key of ``scan``, or None."""
        return next(self.scan_keys(prefix, after=after), None)

    def _raw_rows(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        position, inclusive = start[: keys.LIMIT], True
        while rows := self._chunk(position, inclusive):
            yield from rows
            position, inclusive = rows[-1][0], False

    def _chunk(self, position: bytes, inclusive: bool) -> list[tuple[bytes, bytes]]:
        with self._txn._live().cursor(self._handle) as cursor:
            found = cursor.set_range(position) if position else cursor.first()
            if found and not inclusive and cursor.key() == position:
                found = cursor.next()
            return list(itertools.islice(cursor.iternext(), CHUNK)) if found else []


class WriteTable(ReadTable):
    """A table that can be changed."""

    def put(self, key: bytes, value: bytes) -> None:
        """Set ``key`` to ``value``.

        Raises:
            InvalidArgument: the key is empty.
            ResourceExhausted: the map is full; the transaction cannot go on.
        """
        if not key:
            raise errors.InvalidArgument(f'store "{self._txn._path}": empty key')
        self._guard(keys.stored(key), keys.pack(key, value))

    def delete(self, key: bytes) -> bool:
        """Remove ``key``; whether it was there."""
        return bool(key) and bool(self._txn._live().delete(keys.stored(key), db=self._handle))

    def clear(self, prefix: bytes) -> int:
        """Remove every row whose key starts with ``prefix``; how many there were."""
        return sum(self.delete(key) for key in self.scan_keys(prefix))

    def _guard(self, name: bytes, value: bytes) -> None:
        try:
            self._txn._live().put(name, value, db=self._handle)
        except (lmdb.MapFullError, lmdb.BadValsizeError) as error:
            raise faults.translate(error, self._txn._path) from error
