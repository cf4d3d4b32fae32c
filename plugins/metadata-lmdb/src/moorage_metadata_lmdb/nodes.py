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


class Node(NamedTuple):
    """An object. The key of a snapshot is ``snapshotter/key``. A flat node's label references are not followed."""

    kind: Kind
    namespace: str
    key: str
    flat: bool = False

    def __str__(self) -> str:
        return f"{self.kind.value} {self.namespace} {self.key}"


def snapshot(namespace: str, snapshotter: str, key: str, flat: bool = False) -> Node:
    """The node of a snapshot."""
    return Node(Kind.SNAPSHOT, namespace, f"{snapshotter}/{key}", flat)


def object(node: Node) -> Object:
    """The same for those outside."""
    return Object(node.kind.value, node.namespace, node.key)
