"""Explaining: which roots keep an object, and by which references.

The references are found as marking finds them; only what each is called is looked up afterwards, for the few that are
shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from moorage_metadata_lmdb import expiries, marks, nodes, references, rows
from moorage_metadata_lmdb.changes import Reading
from moorage_metadata_lmdb.marks import Mark
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_metadata_lmdb.tables import Table
from moorage_sdk import labels
from moorage_sdk.garbage import Explanation, Step

LIMIT = 100
"""Paths that are told of one object; a base layer is kept by every image of the host."""

_LABELLED: dict[Kind, Table[Any]] = {
    Kind.CONTENT: rows.BLOBS,
    Kind.IMAGE: rows.IMAGES,
    Kind.CONTAINER: rows.CONTAINERS,
    Kind.SANDBOX: rows.SANDBOXES,
    Kind.LEASE: rows.LEASES,
}


def explain(
    reading: Reading, now: int, wanted: Node, outside: Callable[[Mark], None] = lambda mark: None
) -> Explanation:
    """What keeps ``wanted``, at ``now`` in nanoseconds since the epoch; ``outside`` as of ``marks.make``."""
    mark = Mark(now)
    outside(mark)
    roots = frozenset(marks.scan(reading, mark))
    paths = []
    for path in _paths(_referrers(reading, mark, roots), roots, wanted):
        paths.append(tuple(_steps(reading, path)))
        if len(paths) == LIMIT:
            break
    return Explanation(nodes.object(wanted), tuple(paths))


def _referrers(reading: Reading, mark: Mark, roots: frozenset[Node]) -> dict[Node, list[Node]]:
    """All that is reachable, each with what refers to it."""
    found: dict[Node, list[Node]] = {root: [] for root in roots}
    pending = list(roots)
    while pending:
        node = pending.pop()
        for following in mark.follow(reading, node):
            if following not in found:
                found[following] = []
                pending.append(following)
            found[following].append(node)
    return found


def _paths(referrers: Mapping[Node, list[Node]], roots: frozenset[Node], wanted: Node) -> Iterator[list[Node]]:
    """From each root the shortest path to ``wanted``, shortest first."""
    ends = [end for end in (wanted, wanted._replace(flat=True)) if end in referrers]
    following: dict[Node, Node | None] = dict.fromkeys(ends)
    pending = deque(ends)
    while pending:
        node = pending.popleft()
        if node in roots:
            yield _walk(following, node)
        for referrer in referrers[node]:
            if referrer not in following:
                following[referrer] = node
                pending.append(referrer)


def _walk(following: Mapping[Node, Node | None], root: Node) -> list[Node]:
    path, step = [root], following[root]
    while step is not None:
        path.append(step)
        step = following[step]
    return path


def _steps(reading: Reading, path: list[Node]) -> Iterator[Step]:
    whole = [node._replace(flat=False) for node in path]
    yield Step(nodes.object(whole[0]), _root(reading, whole[0]))
    for before, node in pairwise(whole):
        yield Step(nodes.object(node), _edge(reading, before, node))


def _root(reading: Reading, node: Node) -> str:
    values = _labels(reading, node)
    if node.kind is Kind.INGEST:
        ingest = reading.get(rows.INGESTS, node.namespace, node.key)
        return f"being written, until {_moment(ingest.expires_at)}" if ingest else "being written"
    if node.kind in (Kind.CONTENT, Kind.SNAPSHOT):
        found = next((key for key in values if key.startswith(labels.GC_ROOT)), "")
        return f"label {found}" if found else "being committed"
    expiry = expiries.of(values) if node.kind in (Kind.LEASE, Kind.IMAGE) else None
    return "root" if expiry is None else f"root until {_moment(expiry)}"


def _edge(reading: Reading, before: Node, node: Node) -> str:
    return _property(reading, before, node) or _label(reading, before, node) or "reference"


def _property(reading: Reading, before: Node, node: Node) -> str:
    """What the reference is called if it is no label."""
    if before.kind is Kind.LEASE:
        return "held"
    if before.kind is Kind.INGEST:
        return "shared"
    if before.kind is Kind.IMAGE and node.kind is Kind.CONTENT:
        image = reading.get(rows.IMAGES, before.namespace, before.key)
        return "target" if image and image.target.digest == node.key else ""
    if node.kind is Kind.SNAPSHOT and before.kind is Kind.CONTAINER:
        container = reading.get(rows.CONTAINERS, before.namespace, before.key)
        own = container and nodes.snapshot(before.namespace, container.snapshotter, container.snapshot_key)
        return "snapshot" if own == node else ""
    if node.kind is Kind.SNAPSHOT and before.kind is Kind.SNAPSHOT:
        snapshotter, _, key = before.key.partition("/")
        child = reading.get(rows.SNAPSHOTS, before.namespace, snapshotter, key)
        return "parent" if child and nodes.snapshot(before.namespace, snapshotter, child.parent) == node else ""
    return ""


def _label(reading: Reading, before: Node, node: Node) -> str:
    namespace, own = node.namespace, _labels(reading, before)
    for key, value in own.items():
        if node in references.forward(namespace, {key: value}):
            return f"label {key}"
    for key, value in _labels(reading, node).items():
        if before in references.backward(namespace, {key: value}):
            return f"its own label {key}"
    for key, value in own.items():
        if any(each.target == node for each in references.conditions(namespace, {key: value})):
            return f"label {key}"
    return ""


def _labels(reading: Reading, node: Node) -> Mapping[str, str]:
    if node.kind is Kind.SNAPSHOT:
        snapshotter, _, key = node.key.partition("/")
        snapshot = reading.get(rows.SNAPSHOTS, node.namespace, snapshotter, key)
        return {} if snapshot is None else snapshot.labels
    table = _LABELLED.get(node.kind)
    row = None if table is None else reading.get(table, node.namespace, node.key)
    return {} if row is None else row.labels


def _moment(nanoseconds: int) -> str:
    try:
        return datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError):
        return "the end of time"
