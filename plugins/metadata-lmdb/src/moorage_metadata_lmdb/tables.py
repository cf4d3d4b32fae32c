"""The tables of the store: what a row is called, how it is encoded, what else is known by it.

A key is the row's parts joined by a byte that no UTF-8 text contains, so that a scan of the first parts is a scan of a
prefix and the last part keeps its own byte order. A value is a version byte and JSON. Rows that must be found by
something else than their name have entries in the table ``index``, kept by ``changes.Change`` in the same transaction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_sdk import errors

R = TypeVar("R")
Parts = tuple[str, ...]
Fields = dict[str, Any]

SEPARATOR = b"\xff"
INDEX = "index"
OUTBOX = "outbox"
VERSION = b"\x01"


def key(*parts: str) -> bytes:
    """The key of a row or index entry. Raises errors.InvalidArgument for text that is no Unicode."""
    try:
        return SEPARATOR.join(part.encode() for part in parts)
    except UnicodeEncodeError:
        raise errors.InvalidArgument(f"name {parts[-1]!a}: not valid UTF-8: invalid argument") from None


def prefix(*parts: str) -> bytes:
    """What the keys of all rows below ``parts`` begin with."""
    return key(*parts) + SEPARATOR if parts else b""


def parts(key: bytes) -> Parts:
    """The inverse of ``key``."""
    return tuple(part.decode() for part in key.split(SEPARATOR))


def pack(fields: Fields) -> bytes:
    """A value; fields that are empty take no room."""
    kept = {name: value for name, value in fields.items() if value not in ("", 0, {}, None)}
    return VERSION + json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()


def unpack(value: bytes) -> Fields:
    """The inverse of ``pack``. Raises errors.DataLoss for a value that this version did not write."""
    if value[:1] != VERSION:
        raise errors.DataLoss(f"metadata row of version {value[:1].hex() or 'none'}: unknown")
    fields: Fields = json.loads(value[1:])
    return fields


@dataclass(frozen=True)
class Table(Generic[R]):
    """Rows of one kind. ``kind`` is None for rows that garbage collection does not see as objects.

    ``encode`` leaves out what the key says already; ``decode`` gets the key's parts.
    """

    name: str
    kind: Kind | None
    encode: Callable[[R], Fields]
    decode: Callable[[Parts, Fields], R]
    index: Callable[[Parts, R], Iterable[bytes]] = lambda parts, row: ()

    def node(self, parts: Parts) -> Node | None:
        """The garbage collector's name for the row, None if it has none."""
        return None if self.kind is None else Node(self.kind, parts[0], "/".join(parts[1:]))

    def load(self, parts: Parts, value: bytes) -> R:
        return self.decode(parts, unpack(value))

    def dump(self, row: R) -> bytes:
        return pack(self.encode(row))
