"""Removing from the backends what no row knows.

What the backend has is listed without a lock; most of the time all of it is known. What is not is looked up again under
the gate, a few at a time, so that whoever prepares or commits waits for a few removals and not for all of them. One
removal that fails never stops the rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from moorage_metadata_lmdb.backends import Blobs, Layers
from moorage_metadata_lmdb.gates import Gate
from moorage_metadata_lmdb.ledgers import Ledger
from moorage_sdk import errors
from moorage_sdk.garbage import Object
from moorage_sdk.snapshots import Cleaner

_BATCH = 16

OWNERS_OF_BLOBS = (("blob",), ("want",))
OWNERS_OF_INGESTS = (("ingest",),)
"""Under which words of the index the names of a blob and of an ingest lie."""


def blob(digest: str) -> Object:
    """The object that a blob is in the content store, to be told from a namespace's name for it."""
    return Object("blob", "", digest)


def ingest(ref: str) -> Object:
    """The object that an ingest is in the content store."""
    return Object("ingest", "", ref)


def snapshot(snapshotter: str, key: str) -> Object:
    """The object that a snapshot is for its snapshotter."""
    return Object("snapshot", "", f"{snapshotter} {key}")


@dataclass
class Report:
    """What was removed, and what could not be with the reason, each in one line."""

    removed: list[Object] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, what: Object, remove: Callable[[], None]) -> None:
        """Perform one removal and note how it went. What is gone already counts as neither."""
        try:
            remove()
        except errors.NotFound:
            return
        except Exception as error:  # noqa: BLE001 - a backend is foreign code, and the next removal must go on
            self.failures.append(f"{what}: {error}")
        else:
            self.removed.append(what)


def content(ledger: Ledger, blobs: Blobs, report: Report) -> None:
    """Remove blobs that no namespace names and no ingest shares, and ingests without a name."""
    backend = blobs.backend
    blob_names = (info.digest for info in backend.walk())
    refs = (status.ref for status in backend.statuses())
    for digest in _unknown(ledger, blobs.gate, blob_names, *OWNERS_OF_BLOBS):
        report.add(blob(digest), partial(backend.delete, digest))
    for ref in _unknown(ledger, blobs.gate, refs, *OWNERS_OF_INGESTS):
        report.add(ingest(ref), partial(backend.abort, ref))


def snapshots(ledger: Ledger, layers: Layers, report: Report) -> None:
    """Remove snapshots without a name, children first, then what the snapshotter left on disk."""
    parents = {info.name: info.parent for info in layers.backend.walk()}
    for key in _unknown(ledger, layers.gate, deepest_first(parents), ("snapshot", layers.name)):
        report.add(snapshot(layers.name, key), partial(layers.backend.remove, key))
    if isinstance(layers.backend, Cleaner):
        cleanup = layers.backend.cleanup
        try:
            cleanup()
        except errors.Unimplemented:
            return
        except Exception as error:  # noqa: BLE001 - a backend is foreign code
            report.failures.append(f"cleanup {layers.name}: {error}")


def _unknown(ledger: Ledger, gate: Gate, names: Iterable[str], *owners: tuple[str, ...]) -> Iterator[str]:
    """Those of ``names`` with an entry below none of ``owners`` in the index. Each is yielded with the gate taken."""
    suspects = iter(_suspects(ledger, names, owners))
    while batch := list(itertools.islice(suspects, _BATCH)):
        with gate.exclusive():
            yield from _suspects(ledger, batch, owners)


def _suspects(ledger: Ledger, names: Iterable[str], owners: tuple[tuple[str, ...], ...]) -> list[str]:
    listed = list(names)
    with ledger.read() as reading:
        return [name for name in listed if not any(reading.known(*owner, name) for owner in owners)]


def deepest_first(parents: Mapping[str, str]) -> list[str]:
    depths: dict[str, int] = {}
    for name in parents:
        chain = []
        while name in parents and name not in depths:
            chain.append(name)
            depths[name] = 0  # ends the walk on a cycle, which no snapshotter should have
            name = parents[name]
        base = depths.get(name, 0)
        for distance, link in enumerate(reversed(chain), 1):
            depths[link] = base + distance
    return sorted(parents, key=lambda name: -depths[name])
