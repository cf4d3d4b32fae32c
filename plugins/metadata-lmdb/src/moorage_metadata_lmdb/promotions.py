"""Commits of active snapshots, whole even if the daemon dies in the middle.

A commit changes the backend and the rows, and no order of the two is safe by itself. So a row of intent comes first;
whoever finds one later asks the backend which side of the change it is on, and finishes or forgets it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

from moorage_api.messages import events as messages
from moorage_metadata_lmdb import changes, nodes, rows
from moorage_metadata_lmdb.backends import Layers, inherited
from moorage_metadata_lmdb.changes import Change, Scope
from moorage_metadata_lmdb.ledgers import Ledger, exists
from moorage_metadata_lmdb.rows import Promotion, Snapshot
from moorage_sdk import errors


def perform(
    ledger: Ledger, layers: Layers, scope: Scope, name: str, key: str, kept: Mapping[str, str], parent: str
) -> None:
    """Commit ``key`` as ``name``. The caller holds both names and the gate."""
    path = (scope.namespace, layers.name)
    backend_name = f"{scope.namespace}/{ledger.number()}/{name}"
    plan = ledger.change(lambda change: _plan(change, path, scope, backend_name, name, key, kept, parent))
    if plan is None:
        raise exists("snapshot", name)
    promotion, backend_key, new_parent = plan
    try:
        layers.backend.commit(backend_name, backend_key, inherited(kept), new_parent)
    except BaseException:
        ledger.soil(layers.name)
        ledger.change(partial(_drop, path, key))
        raise
    ledger.change(partial(_settle, path, promotion))


def settle(ledger: Ledger, layers: Layers) -> None:
    """Finish or forget the commits of an earlier process. Called before the snapshotter is used."""
    with ledger.read() as reading:
        left = [(parts, row) for parts, row in reading.scan(rows.PROMOTIONS) if parts[1] == layers.name]
    for (namespace, name, key), promotion in left:
        try:
            layers.backend.stat(promotion.backend)
            ledger.change(partial(_settle, (namespace, name), promotion))
        except errors.NotFound:
            # The backend did not commit, or the parent went. What the backend may have is garbage.
            ledger.change(partial(_drop, (namespace, name), key))


def _plan(
    change: Change,
    path: tuple[str, str],
    scope: Scope,
    backend_name: str,
    name: str,
    key: str,
    kept: Mapping[str, str],
    parent: str,
) -> tuple[Promotion, str, str] | None:
    """The intent, the active snapshot's key in the backend, and a parent to be given there; None if the name exists."""
    change.hold(scope, f"snapshots/{path[1]}", name, nodes.snapshot(*path, name))
    if change.has(rows.SNAPSHOTS, *path, name):
        return None
    active = changes.require(change, path, key)
    chosen = active.parent or parent
    parent_key = changes.require(change, path, chosen, "parent snapshot").backend if chosen else ""
    promotion = Promotion(key, name, backend_name, chosen, kept, scope.lease)
    change.put(rows.PROMOTIONS, (*path, key), promotion)
    change.touch(nodes.snapshot(*path, key))
    if chosen:
        change.touch(nodes.snapshot(*path, chosen))
    return promotion, active.backend, "" if active.parent else parent_key


def _drop(path: tuple[str, str], key: str, change: Change) -> None:
    change.delete(rows.PROMOTIONS, *path, key)


def _settle(path: tuple[str, str], promotion: Promotion, change: Change) -> None:
    now = time.time_ns()
    namespace, snapshotter = path
    change.delete(rows.PROMOTIONS, *path, promotion.key)
    change.delete(rows.SNAPSHOTS, *path, promotion.key, garbage=False)
    change.release(Scope(namespace, promotion.lease), f"snapshots/{snapshotter}", promotion.key)
    if promotion.parent:
        changes.require(change, path, promotion.parent, "parent snapshot")
    row = Snapshot(promotion.name, promotion.backend, promotion.parent, promotion.labels, now, now)
    change.put(rows.SNAPSHOTS, (*path, promotion.name), row)
    event = messages.SnapshotCommit(key=promotion.key, name=promotion.name, snapshotter=snapshotter)
    change.emit(namespace, "/snapshot/commit", event)
