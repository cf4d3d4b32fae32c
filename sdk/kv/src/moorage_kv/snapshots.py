"""The records of a snapshotter: names, kinds, parents, labels, and a number for each that names its directory.

Snapshotters keep them beside their directories, because they must run behind a proxy and under a real containerd, too.
Rules and messages are those of ``core/snapshots/storage/bolt.go`` in containerd v2.3.

A snapshot is made in this order, so that a crash leaves a directory without a record and never the opposite::

    with records.reserve() as number:
        ...                                         # make and sync the directory
        records.create(number, Kind.ACTIVE, key, parent, labels)

and removed in the other: ``remove`` first, then the directory; ``leftovers`` tells what to remove after a crash.
"""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from moorage_kv.stores import Store
from moorage_kv.txns import ReadTxn, WriteTxn
from moorage_sdk import errors, labels, masks
from moorage_sdk.snapshots import Info, Kind, Usage

_SNAPSHOTS = "snapshots"
_CHILDREN = "children"
_LAST = "last"
_VERSION = b"\x01"
_PAIR = struct.Struct(">QQ")
_NUMBER = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Record:
    """``number`` names the directory; ``usage`` is known of committed snapshots only."""

    number: int
    info: Info
    usage: Usage = field(default_factory=Usage)


class Records:
    """Every method may be called from every thread."""

    def __init__(self, store: Store, directories: Iterable[str]) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._reserved: set[int] = set()
        with store.read() as txn:
            used = txn.table(_LAST).get(b"number") or _NUMBER.pack(0)
        # A crash may have left directories with numbers that no record knows; those are not used again either.
        names = [int(name) for name in directories if name.isascii() and name.isdigit()]
        self._last = max(_NUMBER.unpack(used)[0], *names, 0)

    @classmethod
    def open(cls, path: Path, directories: Iterable[str]) -> Records:
        """Open the store at ``path``; ``directories`` are the names that exist now. Raises as ``Store.open``."""
        return cls(Store.open(path, tables=(_SNAPSHOTS, _CHILDREN, _LAST), map_size=1 << 30), directories)

    def close(self) -> None:
        """Calling it again does nothing."""
        self._store.close()

    def get(self, key: str) -> Record:
        """Raises errors.NotFound."""
        with self._store.read() as txn:
            return _get(txn, key)

    def lineage(self, key: str) -> list[Record]:
        """The snapshot and its ancestors, newest first. Raises errors.NotFound."""
        with self._store.read() as txn:
            chain = [_get(txn, key)]
            while parent := chain[-1].info.parent:
                chain.append(_get(txn, parent))
            return chain

    def walk(self) -> list[Record]:
        """All snapshots, by name."""
        with self._store.read() as txn:
            found = [_decode(key, value) for key, value in txn.table(_SNAPSHOTS).scan()]
        return sorted(found, key=lambda record: record.info.name)

    @contextmanager
    def reserve(self) -> Iterator[int]:
        """A number never used before, kept out of ``leftovers`` for the length of the with block."""
        with self._guard:
            self._last += 1
            number = self._last
            self._reserved.add(number)
        try:
            yield number
        finally:
            with self._guard:
                self._reserved.discard(number)

    def check(self, key: str, parent: str) -> None:
        """Raise what ``create`` would raise, before directories are made for nothing."""
        with self._store.read() as txn:
            _check_new(txn, key, parent)

    def create(self, number: int, kind: Kind, key: str, parent: str, given: Mapping[str, str] | None = None) -> Record:
        """Record an active snapshot or a view.

        Raises errors.AlreadyExists for the key, errors.NotFound for the parent, errors.InvalidArgument for an empty
        key, a parent that is not committed, and labels that are too large.
        """
        labels.validate(given or {})
        now = time.time_ns()
        record = Record(number, Info(kind, key, parent, labels.stored(given or {}), now, now))

        def write(txn: WriteTxn) -> Record:
            _check_new(txn, key, parent)
            _put(txn, record)
            if parent:
                txn.table(_CHILDREN).put(_PAIR.pack(_get(txn, parent).number, number), b"\x01")
            last = txn.table(_LAST).get(b"number") or _NUMBER.pack(0)
            txn.table(_LAST).put(b"number", max(last, _NUMBER.pack(number)))
            return record

        return self._store.write(write)

    def commit(
        self, name: str, key: str, usage: Usage, given: Mapping[str, str] | None = None, parent: str = ""
    ) -> Record:
        """Turn the active ``key`` into the committed ``name``; ``parent`` is for one that has none yet.

        Raises errors.AlreadyExists for the name, errors.NotFound for key and parent, errors.FailedPrecondition for a
        key that is not active or a parent that is not committed, errors.InvalidArgument for another parent than before.
        """
        labels.validate(given or {})

        def write(txn: WriteTxn) -> Record:
            if not name:
                raise errors.InvalidArgument("snapshot name must not be empty: invalid argument")
            if _find(txn, name):
                raise errors.AlreadyExists(f'committed snapshot "{name}": already exists')
            active = _get(txn, key)
            if active.info.kind is not Kind.ACTIVE:
                raise errors.FailedPrecondition(f'snapshot "{key}" is not active: failed precondition')
            if parent and parent != active.info.parent:
                _link(txn, active, parent)
            now = time.time_ns()
            info = Info(Kind.COMMITTED, name, parent or active.info.parent, labels.stored(given or {}), now, now)
            txn.table(_SNAPSHOTS).delete(_key(key))
            return _put(txn, Record(active.number, info, usage))

        return self._store.write(write)

    def update(self, info: Info, paths: Sequence[str]) -> Record:
        """Change labels. Raises errors.NotFound, errors.InvalidArgument for other paths."""
        masks.check(paths, ("labels", "labels."), f'snapshot "{info.name}"')
        labels.validate(info.labels)

        def write(txn: WriteTxn) -> Record:
            before = _get(txn, info.name)
            changed = masks.update_map(before.info.labels, info.labels, paths or ("labels",))
            return _put(txn, replace(before, info=replace(before.info, labels=changed, updated_at=time.time_ns())))

        return self._store.write(write)

    def remove(self, key: str) -> Record:
        """Forget a snapshot. Raises errors.NotFound, errors.FailedPrecondition when it has children."""

        def write(txn: WriteTxn) -> Record:
            record = _get(txn, key)
            if txn.table(_CHILDREN).first(_NUMBER.pack(record.number)):
                raise errors.FailedPrecondition(f'cannot remove snapshot "{key}" with child: failed precondition')
            if record.info.parent:
                txn.table(_CHILDREN).delete(_PAIR.pack(_get(txn, record.info.parent).number, record.number))
            txn.table(_SNAPSHOTS).delete(_key(key))
            return record

        return self._store.write(write)

    def leftovers(self, directories: Sequence[str]) -> list[str]:
        """Those of ``directories``, listed before this call, that are no snapshot's and are not being made."""
        with self._guard:
            reserved = set(self._reserved)
        # Read after the reservations: a snapshot that was finished in between has its record by now.
        kept = {str(number) for number in reserved | {record.number for record in self.walk()}}
        return [name for name in directories if name not in kept]


def _key(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _find(txn: ReadTxn, name: str) -> Record | None:
    value = txn.table(_SNAPSHOTS).get(_key(name))
    return None if value is None else _decode(_key(name), value)


def _get(txn: ReadTxn, name: str) -> Record:
    record = _find(txn, name)
    if record is None:
        raise errors.NotFound(f'snapshot "{name}": not found')
    return record


def _check_new(txn: ReadTxn, key: str, parent: str) -> None:
    if not key:
        raise errors.InvalidArgument("snapshot key must not be empty: invalid argument")
    if parent:
        found = _find(txn, parent)
        if found is None:
            raise errors.NotFound(f'missing parent "{parent}": not found')
        if found.info.kind is not Kind.COMMITTED:
            raise errors.InvalidArgument(f'parent "{parent}" is not committed snapshot: invalid argument')
    if _find(txn, key):
        raise errors.AlreadyExists(f'snapshot "{key}": already exists')


def _link(txn: WriteTxn, active: Record, parent: str) -> None:
    """Give a snapshot without a parent one."""
    if active.info.parent:
        message = f'cannot change parent of active snapshot "{active.info.name}" on commit: invalid argument'
        raise errors.InvalidArgument(message)
    found = _find(txn, parent)
    if found is None:
        raise errors.NotFound(f'missing parent "{parent}" of snapshot "{active.info.name}": not found')
    if found.info.kind is not Kind.COMMITTED:
        raise errors.FailedPrecondition(f'parent "{parent}" is not committed: failed precondition')
    txn.table(_CHILDREN).put(_PAIR.pack(found.number, active.number), b"\x01")


def _put(txn: WriteTxn, record: Record) -> Record:
    info = record.info
    fields = {
        "number": record.number,
        "kind": int(info.kind),
        "parent": info.parent,
        "labels": dict(info.labels),
        "created": info.created_at,
        "updated": info.updated_at,
        "size": record.usage.size,
        "inodes": record.usage.inodes,
    }
    txn.table(_SNAPSHOTS).put(_key(info.name), _VERSION + json.dumps(fields, separators=(",", ":")).encode("ascii"))
    return record


def _decode(key: bytes, value: bytes) -> Record:
    name = key.decode("utf-8", "surrogateescape")
    if value[:1] != _VERSION:
        raise errors.DataLoss(f'snapshot "{name}": record of unknown version {value[:1].hex()}')
    fields = json.loads(value[1:])
    kind, parent, created, updated = Kind(fields["kind"]), fields["parent"], fields["created"], fields["updated"]
    usage = Usage(fields["size"], fields["inodes"])
    return Record(fields["number"], Info(kind, name, parent, fields["labels"], created, updated), usage)
