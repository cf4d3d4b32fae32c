"""Leases (``core/metadata/leases.go``; ids of ``core/leases/id.go``)."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping

from moorage_metadata_lmdb import nodes, rows
from moorage_metadata_lmdb.changes import Change, Reading, Scope
from moorage_metadata_lmdb.ledgers import Ledger, exists, missing
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_sdk import digests, errors, labels
from moorage_sdk.leases import Lease, Leases, Resource

_KINDS = {"content": Kind.CONTENT, "ingests": Kind.INGEST, "images": Kind.IMAGE}


class LeaseStore(Leases):
    """The leases of one namespace."""

    def __init__(self, ledger: Ledger, scope: Scope) -> None:
        self._ledger = ledger
        self._namespace = scope.namespace

    def create(self, id: str = "", labels: Mapping[str, str] | None = None) -> Lease:
        lease = Lease(id or _new_id(), time.time_ns(), _checked(labels or {}))

        def create(change: Change) -> None:
            if change.has(rows.LEASES, self._namespace, lease.id):
                raise exists("lease", lease.id)
            change.enter(self._namespace)
            change.put(rows.LEASES, (self._namespace, lease.id), lease)

        self._ledger.change(create)
        return lease

    def delete(self, id: str) -> None:
        def delete(change: Change) -> None:
            self._require(change, id)
            change.delete(rows.LEASES, self._namespace, id)
            change.clear(rows.HOLDINGS, self._namespace, id)

        self._ledger.change(delete)

    def add_resource(self, id: str, resource: Resource) -> None:
        def add(change: Change) -> None:
            self._require(change, id)
            if not resource.id:
                raise errors.InvalidArgument("resource id must not be empty: invalid argument")
            node = _node(self._namespace, resource)
            change.hold(Scope(self._namespace, id), resource.type, resource.id, node)

        self._ledger.change(add)

    def delete_resource(self, id: str, resource: Resource) -> None:
        def delete(change: Change) -> None:
            self._require(change, id)
            node = _node(self._namespace, resource)
            change.release(Scope(self._namespace, id), resource.type, resource.id)
            # What the lease held may be garbage now, which is what watchers want to know.
            change.deleted.append(node)

        self._ledger.change(delete)

    def resources(self, id: str) -> list[Resource]:
        with self._ledger.read() as reading:
            self._require(reading, id)
            # The byte order of the types is the order wanted: content, images, ingests, snapshots.
            return [Resource(parts[3], parts[2]) for parts, _ in reading.scan(rows.HOLDINGS, self._namespace, id)]

    def list(self) -> list[Lease]:
        return [row for _, row in self._ledger.rows(rows.LEASES, self._namespace)]

    def _require(self, reading: Reading, id: str) -> None:
        if not reading.has(rows.LEASES, self._namespace, id):
            raise missing("lease", id)


def _new_id() -> str:
    return f"{time.time_ns() % 10**9}-{base64.urlsafe_b64encode(secrets.token_bytes(3)).decode()}"


def _checked(values: Mapping[str, str]) -> dict[str, str]:
    labels.require_keys(values)  # containerd limits their size nowhere but here
    return labels.stored(values)


def _node(namespace: str, resource: Resource) -> Node:
    """Raises errors.InvalidArgument, errors.Unimplemented."""
    kind, *rest = resource.type.split("/")
    if kind == "snapshots":
        if len(rest) != 1 or not rest[0]:
            raise errors.InvalidArgument(f"invalid snapshot resource type {resource.type}: invalid argument")
        return nodes.snapshot(namespace, rest[0], resource.id)
    if kind not in _KINDS:
        raise errors.Unimplemented(f"resource type {resource.type} not supported yet: not implemented")
    if rest:
        raise errors.InvalidArgument(f"invalid resource type {resource.type}: invalid argument")
    if kind == "content":
        digests.validate(resource.id)
    return Node(_KINDS[kind], namespace, resource.id)
