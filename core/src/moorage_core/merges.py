"""How files override each other: containerd's rules, read off ``cmd/containerd/server/config/config.go``.

Top-level values and those of top-level tables override unless they are empty (``0``, ``""``, ``false``); top-level
lists are united; a table inside a top-level table is replaced whole, but ``plugins`` merges to the bottom, where lists
and values, empty ones too, replace.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from moorage_core.documents import Document, Fault, Origin, nearest
from moorage_sdk.config import Key, dotted, type_name

PLUGINS = "plugins"


@dataclass
class Merged:
    """One table made of many, where each of its values came from, and values that gave way to a table."""

    table: dict[str, Any] = field(default_factory=dict)
    origins: dict[Key, Origin] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def origin(self, key: Key) -> Origin | None:
        """The place of a key, or of the nearest table around it; None for what no file and no flag says."""
        return nearest(self.origins, key)

    def put(self, key: Key, value: Any, source: Document, place: Key) -> None:
        """Set a value that stands at ``place`` of ``source``, and take over the origins of all inside it."""
        table = self.within(key[:-1])
        if isinstance(table.get(key[-1]), dict | list):
            for inner in [inner for inner in self.origins if inner[: len(key)] == key]:
                del self.origins[inner]
        table[key[-1]] = value
        if isinstance(value, dict | list):
            for known, origin in source.origins.items():
                if known[: len(place)] == place:
                    self.origins[key + known[len(place) :]] = origin
        self.origins[key] = source.origin(place)

    def within(self, key: Key) -> dict[Any, Any]:
        """The table at a key, made where it is missing. Another value in its place is a fault, and gives way."""
        current: dict[Any, Any] = self.table
        for depth, part in enumerate(key, 1):
            if not isinstance(current.get(part), dict):
                if part in current:
                    message = f"{dotted(key[:depth])}: expected table, got {type_name(current[part])}"
                    self.faults.append(Fault(self.origin(key[:depth]), message))
                current[part] = {}
            current = current[part]
        return current


def merge(documents: Iterable[Document]) -> Merged:
    """Lay each document over those before it. Other wrong types are carried along for the decoder to report."""
    merged = Merged()
    for document in documents:
        for name, value in document.table.items():
            _top(merged, document, name, value)
    return merged


def _top(merged: Merged, document: Document, name: str, value: Any) -> None:
    old = merged.table.get(name)
    key: Key = (name,)
    if isinstance(value, list) and isinstance(old, list):
        for index, item in enumerate(value):
            if item not in old:
                merged.origins[(name, len(old))] = document.origin((name, index))
                old.append(item)
    elif name == PLUGINS and isinstance(value, dict):
        _deep(merged, document, key, value)
    elif isinstance(value, dict) and name in merged.table:
        old = merged.within(key)
        for entry, item in value.items():
            if item or isinstance(item, dict | list) or entry not in old:
                merged.put((name, entry), item, document, (name, entry))
    elif value or name not in merged.table:
        merged.put(key, list(value) if isinstance(value, list) else value, document, key)


def _deep(merged: Merged, document: Document, key: Key, value: dict[str, Any]) -> None:
    merged.within(key)
    merged.origins[key] = document.origin(key)
    for name, item in value.items():
        inner: Key = (*key, name)
        if isinstance(item, dict):
            _deep(merged, document, inner, item)
        else:
            merged.put(inner, item, document, inner)
