"""Sweeping: rows of what is not reachable go, in one transaction."""

from __future__ import annotations

from collections.abc import Set

from moorage_api.messages import events as messages
from moorage_api.messages import images as image_messages
from moorage_metadata_lmdb import references, rows
from moorage_metadata_lmdb.changes import Change
from moorage_metadata_lmdb.marks import Mark
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_sdk.content import Info
from moorage_sdk.images import Image


def sweep(change: Change, mark: Mark, touched: Set[Node]) -> list[Node]:
    """Extend the mark by what was touched since it was made, remove the rest, and return what was removed."""
    mark.extend(change, _with_conditions(change, touched), touched)
    return [node for node in mark.garbage if _remove(change, node)]


def _with_conditions(change: Change, touched: Set[Node]) -> list[Node]:
    # The mark does not know conditional references that are newer than itself, so their targets stay this time.
    kept = list(touched)
    for node in touched:
        row: Info | Image | None = None
        if node.kind is Kind.CONTENT:
            row = change.get(rows.BLOBS, node.namespace, node.key)
        elif node.kind is Kind.IMAGE:
            row = change.get(rows.IMAGES, node.namespace, node.key)
        if row is not None:
            kept.extend(condition.target for condition in references.conditions(node.namespace, row.labels))
    return kept


def _remove(change: Change, node: Node) -> bool:
    namespace = node.namespace
    if node.kind is Kind.COLLECTIBLE:
        return False  # its owner removes it when the rows are gone
    if node.kind is Kind.SNAPSHOT:
        snapshotter, _, key = node.key.partition("/")
        if change.delete(rows.SNAPSHOTS, namespace, snapshotter, key) is None:
            return False
        change.emit(namespace, "/snapshot/remove", messages.SnapshotRemove(key=key, snapshotter=snapshotter))
        return True
    if node.kind is Kind.IMAGE:
        if change.delete(rows.IMAGES, namespace, node.key) is None:
            return False
        change.emit(namespace, "/images/delete", image_messages.ImageDelete(name=node.key))
        return True
    if node.kind is Kind.LEASE:
        change.clear(rows.HOLDINGS, namespace, node.key)
        return change.delete(rows.LEASES, namespace, node.key) is not None
    if node.kind is Kind.INGEST:
        return change.delete(rows.INGESTS, namespace, node.key) is not None
    return change.delete(rows.BLOBS, namespace, node.key) is not None
