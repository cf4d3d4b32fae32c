"""Objects as the garbage collector names them."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from moorage_sdk.garbage import Object


class Kind(Enum):
    """Kinds of objects (``core/metadata/gc.go``). Containers and sandboxes are never collected, only followed."""

    CONTENT = "content"
    SNAPSHOT = "snapshot"
    CONTAINER = "container"
    SANDBOX = "sandbox"
    IMAGE = "image"
    LEASE = "lease"
    INGEST = "ingest"
    COLLECTIBLE = "collectible"
    """What lies outside of the store, of whatever kind its owner says (``moorage_sdk.resources``)."""


class Node(NamedTuple):
    """An object. The key of a snapshot is ``snapshotter/key``, that of a collectible ``kind/name``.

    A flat node's label references are not followed.
    """

    kind: Kind
    namespace: str
    key: str
    flat: bool = False

    def __str__(self) -> str:
        return str(object(self))


def snapshot(namespace: str, snapshotter: str, key: str, flat: bool = False) -> Node:
    """The node of a snapshot."""
    return Node(Kind.SNAPSHOT, namespace, f"{snapshotter}/{key}", flat)


def collectible(namespace: str, kind: str, name: str) -> Node:
    """The node of what lies outside of the store."""
    return Node(Kind.COLLECTIBLE, namespace, f"{kind}/{name}")


def object(node: Node) -> Object:
    """What a node is to those outside: a collectible has the kind that its owner says."""
    if node.kind is Kind.COLLECTIBLE:
        kind, _, name = node.key.partition("/")
        return Object(kind, node.namespace, name)
    return Object(node.kind.value, node.namespace, node.key)
