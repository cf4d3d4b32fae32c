"""The namespaced view of a snapshotter (``core/metadata/snapshot.go``).

A backend knows a snapshot as ``namespace/number/key``, a key that is never used twice. Work in a backend is done
outside of transactions, for it may take seconds; the row follows when it is done, and what a crash leaves without a row
is garbage.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

from moorage_api.messages import events as messages
from moorage_metadata_lmdb import changes, nodes, promotions, rows
from moorage_metadata_lmdb.backends import Layers, inherited
from moorage_metadata_lmdb.changes import Change, Scope
from moorage_metadata_lmdb.ledgers import Ledger, exists
from moorage_metadata_lmdb.rows import Snapshot
from moorage_sdk import errors, labels, masks
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Info, Kind, Snapshotter, Usage

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Plan:
    """A snapshot that is about to get a row."""

    row: Snapshot
    created: bool  # by us in the backend, to be removed again if the row cannot be written
    parent_key: str  # of the parent in the backend


class SnapshotView(Snapshotter):
    """The snapshots of one namespace in one snapshotter."""

    def __init__(self, ledger: Ledger, layers: Layers, scope: Scope) -> None:
        self._ledger = ledger
        self._layers = layers
        self._backend = layers.backend
        self._scope = scope
        self._path = (scope.namespace, layers.name)

    @property
    def stat_waits(self) -> bool:
        return self._backend.stat_waits

    def stat(self, key: str) -> Info:
        row = self._row(key)
        return _overlay(self._backend.stat(row.backend), row)

    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        if not info.name:
            raise errors.InvalidArgument("snapshot name must not be empty: invalid argument")
        masks.check(paths, ("labels", "labels."), f'snapshot "{info.name}"')
        # One at a time per snapshot, or the backend's labels and ours could end up as those of different calls.
        with self._layers.busy.waiting("update", *self._path, info.name):
            row = self._row(info.name)
            merged = masks.update_map(row.labels, info.labels, paths or ("labels",))
            labels.validate(merged)
            inner = self._backend.update(Info(Kind.UNKNOWN, row.backend, labels=inherited(merged)), paths)
            return _overlay(inner, self._ledger.change(lambda change: self._relabel(change, info.name, merged)))

    def usage(self, key: str) -> Usage:
        return self._backend.usage(self._row(key).backend)

    def mounts(self, key: str) -> tuple[Mount, ...]:
        return self._backend.mounts(self._row(key).backend)

    def prepare(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        return self._create(key, parent, labels or {}, read_only=False)

    def view(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        return self._create(key, parent, labels or {}, read_only=True)

    def commit(self, name: str, key: str, labels: Mapping[str, str] | None = None, parent: str = "") -> None:
        kept = _checked(name, labels or {})
        busy = self._layers.busy
        # Two clients that unpack the same layer commit the same name: the second waits and learns that it exists.
        with busy.waiting("name", *self._path, name), busy.waiting("key", *self._path, key), self._layers.gate.shared():
            promotions.perform(self._ledger, self._layers, self._scope, name, key, kept, parent)

    def remove(self, key: str) -> None:
        with self._layers.busy.waiting("key", *self._path, key):
            self._ledger.change(lambda change: self._remove(change, key))

    def walk(self) -> Iterator[Info]:
        for _, row in self._ledger.rows(rows.SNAPSHOTS, *self._path):
            try:
                info = self._backend.stat(row.backend)
            except errors.NotFound:
                continue
            yield _overlay(info, row)

    def close(self) -> None:
        """Nothing to do: the backend is its own plugin's to close."""

    def _row(self, key: str) -> Snapshot:
        with self._ledger.read() as reading:
            return changes.require(reading, self._path, key)

    def _relabel(self, change: Change, key: str, merged: Mapping[str, str]) -> Snapshot:
        row = replace(changes.require(change, self._path, key), labels=merged, updated_at=time.time_ns())
        change.put(rows.SNAPSHOTS, (*self._path, key), row)
        return row

    def _remove(self, change: Change, key: str) -> None:
        changes.require(change, self._path, key)
        if change.known("child", *self._path, key):
            raise errors.FailedPrecondition("cannot remove snapshot with child: failed precondition")
        change.delete(rows.SNAPSHOTS, *self._path, key)
        change.release(self._scope, f"snapshots/{self._layers.name}", key)
        event = messages.SnapshotRemove(key=key, snapshotter=self._layers.name)
        change.emit(self._scope.namespace, "/snapshot/remove", event)

    def _create(self, key: str, parent: str, given: Mapping[str, str], *, read_only: bool) -> tuple[Mount, ...]:
        kept = _checked(key, given)
        target = kept.get(labels.SNAPSHOT_REF, "")
        with self._layers.gate.shared():
            self._refuse_existing(target, key)
            parent_key = self._parent_key(parent)
            row = Snapshot(key, f"{self._scope.namespace}/{self._ledger.number()}/{key}", parent, kept)
            create = self._backend.view if read_only else self._backend.prepare
            try:
                mounts = create(row.backend, parent_key, inherited(kept))
            except errors.AlreadyExists as error:
                self._adopt(target, parent, parent_key, kept, error)
            except (errors.Unavailable, errors.Cancelled, errors.DeadlineExceeded):
                self._ledger.soil(self._layers.name)  # a backend in another process may have made it all the same
                raise
            now = time.time_ns()
            plan = _Plan(replace(row, created_at=now, updated_at=now), True, parent_key)
            self._record(plan, announce=not read_only)
            return mounts

    def _refuse_existing(self, target: str, key: str) -> None:
        """Raise for a target or key that exists, after leasing it; raise for a lease that does not."""
        with self._ledger.read() as reading:
            found = (name for name in (target, key) if name and reading.has(rows.SNAPSHOTS, *self._path, name))
            taken = next(found, "")
            if self._scope.lease and not reading.has(rows.LEASES, self._scope.namespace, self._scope.lease):
                raise errors.NotFound("lease does not exist: not found")
        # Between the look and the lease the snapshot may go; then the request goes on as if it had not been there.
        if taken and self._ledger.change(partial(self._hold_existing, taken)):
            raise exists("target snapshot" if taken == target else "snapshot", taken)

    def _hold_existing(self, name: str, change: Change) -> bool:
        if not change.has(rows.SNAPSHOTS, *self._path, name):
            return False
        self._hold(change, name)
        return True

    def _hold(self, change: Change, name: str) -> None:
        node = nodes.snapshot(self._scope.namespace, self._layers.name, name)
        change.hold(self._scope, f"snapshots/{self._layers.name}", name, node)

    def _parent_key(self, parent: str) -> str:
        if not parent:
            return ""
        with self._ledger.read() as reading:
            return changes.require(reading, self._path, parent, "parent snapshot").backend

    def _adopt(
        self, target: str, parent: str, parent_key: str, kept: Mapping[str, str], error: errors.AlreadyExists
    ) -> NoReturn:
        """Name what a remote snapshotter has for ``target``, and raise errors.AlreadyExists in any case but failure."""
        if not target:
            # The key was new, so this is no answer that a client may take for its own key.
            raise errors.Error(f"unexpected error from snapshotter: {error}: unknown") from error
        for info in self._backend.walk():
            offered = info.labels.get(labels.SNAPSHOT_REF)
            if (info.kind, offered, info.parent) == (Kind.COMMITTED, target, parent_key):
                merged = {**info.labels, **kept}
                row = Snapshot(target, info.name, parent, merged, info.created_at, info.updated_at)
                self._record(_Plan(row, False, parent_key), announce=False)
                raise errors.AlreadyExists(f'target snapshot "{target}" from snapshotter: already exists')
        raise errors.NotFound(f'target snapshot "{target}" in backend: not found')

    def _record(self, plan: _Plan, *, announce: bool) -> None:
        """Write the row; when that fails, take back what was created.

        Raises:
            errors.AlreadyExists: somebody else wrote a row of that name meanwhile; it is leased.
        """
        written = False
        try:
            written = self._ledger.change(lambda change: self._insert(change, plan, announce))
        finally:
            if plan.created and not written:
                self._take_back(plan.row.backend)
        if not written:
            raise exists("snapshot", plan.row.name)

    def _insert(self, change: Change, plan: _Plan, announce: bool) -> bool:
        row = plan.row
        change.enter(self._scope.namespace)
        self._hold(change, row.name)
        if change.has(rows.SNAPSHOTS, *self._path, row.name):
            return False
        if row.parent and changes.require(change, self._path, row.parent, "parent snapshot").backend != plan.parent_key:
            raise errors.InvalidArgument(f"mismatched parent {row.parent} from target {row.name}: invalid argument")
        change.put(rows.SNAPSHOTS, (*self._path, row.name), row)
        if announce:
            event = messages.SnapshotPrepare(key=row.name, parent=row.parent, snapshotter=self._layers.name)
            change.emit(self._scope.namespace, "/snapshot/prepare", event)
        return True

    def _take_back(self, backend_key: str) -> None:
        self._ledger.soil(self._layers.name)
        try:
            self._backend.remove(backend_key)
        except errors.Error:
            # Garbage collection will try again; the caller must see why the row was not written, not this.
            _log.exception("unreferenced snapshot %s not removed", backend_key)


def _checked(name: str, values: Mapping[str, str]) -> dict[str, str]:
    if not name:
        raise errors.InvalidArgument("snapshot key must not be empty: invalid argument")
    labels.validate(values)
    return labels.stored(values)


def _overlay(info: Info, row: Snapshot) -> Info:
    """What a client sees: kind from the backend, labels from both, everything else from the row."""
    merged = {**info.labels, **row.labels}
    return Info(info.kind, row.name, row.parent, merged, row.created_at, row.updated_at)
