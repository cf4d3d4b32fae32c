"""Objects by what people type: ``content sha256:…``, ``snapshot overlayfs/key``, ``image busybox``, or part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from moorage_metadata_lmdb import nodes, rows
from moorage_metadata_lmdb.changes import Reading
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_sdk import errors, references
from moorage_sdk.garbage import Object

SHOWN = 5
"""Candidates that the message about an ambiguous spelling lists."""


def kind(text: str, others: Iterable[str] = ()) -> str:
    """The kind of that name, also in the plural; "" for no name at all. Raises errors.InvalidArgument."""
    known: list[str] = [each.value for each in Kind if each is not Kind.COLLECTIBLE] + sorted(others)
    for each in known:
        if text.lower() in (each, f"{each}s", f"{each}es"):
            return each
    if text:
        raise errors.InvalidArgument(f'kind "{text}": not one of {", ".join(known)}: invalid argument')
    return ""


def find(reading: Reading, wanted: Object, collectibles: Iterable[Node] = (), others: Iterable[str] = ()) -> Node:
    """The object that ``wanted`` spells: by its whole key if there is one, otherwise by the only one that begins so.

    ``collectibles`` are those outside of the store, ``others`` all kinds of them.

    Raises errors.NotFound, errors.InvalidArgument for an ambiguous spelling.
    """
    chosen, text = kind(wanted.kind, others), wanted.key
    if not text:
        raise errors.InvalidArgument("object without a name: invalid argument")
    outside = (node for node in collectibles if node.namespace == wanted.namespace)
    known = (*_objects(reading, wanted.namespace), *outside)
    there = [node for node in known if chosen in ("", nodes.object(node).kind)]
    for fits in (_is, _begins):
        found = [node for node in there if fits(node, text)]
        if len(found) == 1:
            return found[0]
        if found:
            shown = map(nodes.object, found[:SHOWN])
            listed = ", ".join(f"{each.kind} {each.key}" for each in shown)
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            raise errors.InvalidArgument(f"{_subject(wanted)}: ambiguous, it could be {listed}{more}: invalid argument")
    raise errors.NotFound(f'{_subject(wanted)} in namespace "{wanted.namespace}": not found')


def _subject(wanted: Object) -> str:
    return f'{wanted.kind or "object"} "{wanted.key}"'


def _objects(reading: Reading, namespace: str) -> Iterator[Node]:
    for table in rows.ALL:
        if table.kind is not None:
            for parts, _ in reading.scan(table, namespace):
                if (node := table.node(parts)) is not None:
                    yield node


def _is(node: Node, text: str) -> bool:
    return _matches(node, text, str.__eq__) or (node.kind is Kind.IMAGE and node.key == _normal(text))


def _begins(node: Node, text: str) -> bool:
    return _matches(node, text, str.startswith)


def _matches(node: Node, text: str, fits: Callable[[str, str], bool]) -> bool:
    if fits(node.key, text):
        return True
    # The algorithm of a digest and the name of a snapshotter may be left out.
    separator = {Kind.CONTENT: ":", Kind.SNAPSHOT: "/", Kind.COLLECTIBLE: "/"}.get(node.kind)
    return separator is not None and fits(node.key.partition(separator)[2], text)


def _normal(text: str) -> str:
    try:
        return references.normalize(text)
    except errors.InvalidArgument:
        return text
