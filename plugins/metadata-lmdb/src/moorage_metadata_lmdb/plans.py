"""Planning: what a collection would remove that began now, without removing it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from typing import Any

from moorage_metadata_lmdb import ledgers, marks, nodes, removals, rows
from moorage_metadata_lmdb.backends import Blobs, Layers
from moorage_metadata_lmdb.changes import Reading
from moorage_metadata_lmdb.ledgers import Ledger
from moorage_metadata_lmdb.marks import Mark
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_metadata_lmdb.tables import Table
from moorage_sdk.garbage import Removal
from moorage_sdk.snapshots import Snapshotter

_log = logging.getLogger(__name__)

_TABLES: dict[Kind, Table[Any]] = {Kind.CONTENT: rows.BLOBS, Kind.INGEST: rows.INGESTS, Kind.SNAPSHOT: rows.SNAPSHOTS}


@dataclass
class Names:
    """Names that would go. ``entries`` are theirs in the index, ``backends`` those that would be looked through."""

    removals: list[Removal] = field(default_factory=list)
    entries: set[bytes] = field(default_factory=set)
    backends: set[str] = field(default_factory=set)
    next_expiry: int = 0


def names(reading: Reading, now: int, outside: Callable[[Mark], None] = lambda mark: None) -> Names:
    """What marking leaves over; ``outside`` as of ``marks.make``."""
    mark = marks.make(reading, now, outside)
    found = Names(next_expiry=mark.next_expiry)
    for node in mark.garbage:
        found.removals.append(Removal(nodes.object(node), None if node.kind is Kind.COLLECTIBLE else 0))
        found.entries.update(_entries(reading, node))
        found.backends.update(ledgers.soiled(node))
    return found


def content(ledger: Ledger, blobs: Blobs, gone: Set[bytes]) -> Iterator[Removal]:
    """Blobs and ingests that nobody would own without the entries ``gone``."""
    sizes = {info.digest: info.size for info in blobs.backend.walk()}
    for digest in _unowned(ledger, sizes, gone, *removals.OWNERS_OF_BLOBS):
        yield Removal(removals.blob(digest), sizes[digest])
    offsets = {status.ref: status.offset for status in blobs.backend.statuses()}
    for ref in _unowned(ledger, offsets, gone, *removals.OWNERS_OF_INGESTS):
        yield Removal(removals.ingest(ref), offsets[ref])


def snapshots(ledger: Ledger, layers: Layers, gone: Set[bytes]) -> Iterator[Removal]:
    """Snapshots that nobody would own without the entries ``gone``, children first."""
    parents = {info.name: info.parent for info in layers.backend.walk()}
    for key in _unowned(ledger, removals.deepest_first(parents), gone, ("snapshot", layers.name)):
        yield Removal(removals.snapshot(layers.name, key), _size(layers.backend, key))


def _entries(reading: Reading, node: Node) -> Iterable[bytes]:
    if (table := _TABLES.get(node.kind)) is None:
        return ()
    parts = (node.namespace, *(node.key.split("/", 1) if node.kind is Kind.SNAPSHOT else (node.key,)))
    row = reading.get(table, *parts)
    return () if row is None else table.index(parts, row)


def _unowned(ledger: Ledger, listed: Iterable[str], gone: Set[bytes], *owners: tuple[str, ...]) -> list[str]:
    with ledger.read() as reading:
        return [
            name for name in listed if all(entry in gone for owner in owners for entry in reading.entries(*owner, name))
        ]


def _size(snapshotter: Snapshotter, key: str) -> int | None:
    try:
        return snapshotter.usage(key).size
    except Exception as error:  # noqa: BLE001 - a backend is foreign code, and a plan without a size is one still
        _log.info("size of snapshot %s not known: %s", key, error)
        return None
