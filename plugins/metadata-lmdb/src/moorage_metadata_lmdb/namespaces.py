"""Namespaces (``core/metadata/namespaces.go``, ``plugins/services/namespaces/local.go``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moorage_api.messages import events as messages
from moorage_metadata_lmdb import rows
from moorage_metadata_lmdb.changes import Change, Reading
from moorage_metadata_lmdb.ledgers import Ledger, exists, missing
from moorage_metadata_lmdb.tables import Table
from moorage_sdk import errors, identifiers, labels, masks
from moorage_sdk.namespaces import Namespace, Namespaces


class NamespaceStore(Namespaces):
    """All namespaces of the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def get(self, name: str) -> Namespace:
        with self._ledger.read() as reading:
            return reading.get(rows.NAMESPACES, name) or Namespace(name)

    def list(self) -> list[Namespace]:
        return [row for _, row in self._ledger.rows(rows.NAMESPACES)]

    def create(self, namespace: Namespace) -> Namespace:
        identifiers.validate(namespace.name)
        labels.validate(namespace.labels)

        def create(change: Change) -> None:
            if change.has(rows.NAMESPACES, namespace.name):
                raise exists("namespace", namespace.name)
            change.put(rows.NAMESPACES, (namespace.name,), Namespace(namespace.name, labels.stored(namespace.labels)))
            event = messages.NamespaceCreate(name=namespace.name, labels=namespace.labels)
            change.emit(namespace.name, "/namespaces/create", event)

        self._ledger.change(create)
        return namespace

    def update(self, namespace: Namespace, paths: Sequence[str] = ()) -> Namespace:
        identifiers.validate(namespace.name)
        _check(paths)

        def update(change: Change) -> Namespace:
            old = change.get(rows.NAMESPACES, namespace.name) or Namespace(namespace.name)
            new = Namespace(namespace.name, _merge(old.labels, namespace.labels, paths))
            labels.validate(new.labels)
            change.put(rows.NAMESPACES, (namespace.name,), new)
            event = messages.NamespaceUpdate(name=namespace.name, labels=namespace.labels)
            change.emit(namespace.name, "/namespaces/update", event)
            return new

        return self._ledger.change(update)

    def delete(self, name: str) -> None:
        def delete(change: Change) -> None:
            if not change.has(rows.NAMESPACES, name):
                raise missing("namespace", name)
            if left := _left(change, name):
                raise errors.FailedPrecondition(
                    f'namespace "{name}" must be empty, but it still has {", ".join(left)}: failed precondition'
                )
            for table in (rows.SANDBOXES, rows.LEASES, rows.HOLDINGS, rows.INGESTS, rows.PROMOTIONS):
                change.clear(table, name)
            change.delete(rows.NAMESPACES, name)
            change.emit(name, "/namespaces/delete", messages.NamespaceDelete(name=name))

        self._ledger.change(delete)


def _check(paths: Sequence[str]) -> None:
    for path in paths:
        if not path.startswith("labels."):
            raise errors.InvalidArgument(f'cannot update "{path}" field: invalid argument')


def _merge(old: Mapping[str, str], new: Mapping[str, str], paths: Sequence[str]) -> dict[str, str]:
    return masks.update_map(old, new, paths) if paths else labels.stored(new)


def _left(reading: Reading, name: str) -> list[str]:
    kinds: dict[str, Table[Any]] = {"images": rows.IMAGES, "blobs": rows.BLOBS, "containers": rows.CONTAINERS}
    left = [kind for kind, table in kinds.items() if reading.any(table, name)]
    snapshotters = dict.fromkeys(parts[1] for parts, _ in reading.scan(rows.SNAPSHOTS, name))
    return left + [f'snapshots on "{each}" snapshotter' for each in snapshotters]
