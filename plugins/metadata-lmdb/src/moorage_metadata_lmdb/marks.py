"""Marking: which objects are reachable (``scanRoots`` and ``references`` in ``core/metadata/gc.go``).

A mark is made on a snapshot of the store while writers go on. Whatever they touch meanwhile counts as reachable when
the sweep extends the mark, inside its own transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from moorage_metadata_lmdb import expiries, nodes, references, rows
from moorage_metadata_lmdb.changes import Reading
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_metadata_lmdb.rows import Ingest, Snapshot
from moorage_sdk import labels
from moorage_sdk.images import Image
from moorage_sdk.leases import Lease


@dataclass
class Mark:
    """What one collection knows. ``next_expiry`` in nanoseconds since the epoch, 0 for none."""

    now: int
    reachable: set[Node] = field(default_factory=set)
    collectable: list[Node] = field(default_factory=list)
    next_expiry: int = 0
    _edges: dict[Node, tuple[Node, ...]] = field(default_factory=dict)
    _back: dict[Node, list[Node]] = field(default_factory=dict)
    _conditions: list[tuple[Node, references.Condition]] = field(default_factory=list)
    _used_at: dict[Node, int] = field(default_factory=dict)

    @property
    def garbage(self) -> list[Node]:
        """What is not reachable, in the order of ``collectable``."""
        return [node for node in self.collectable if node not in self.reachable]

    def extend(self, reading: Reading, start: Iterable[Node], changed: Set[Node] = frozenset()) -> None:
        """Add ``start`` and all that follows from it.

        ``reading`` may be newer than the mark if ``changed`` names all that was touched between the two.
        """
        seen: set[Node] = set()
        pending = list(start)
        while pending:
            node = pending.pop()
            if node in seen:
                continue
            seen.add(node)
            self.reachable.add(node._replace(flat=False) if node.flat else node)
            pending.extend(self.follow(reading, node, changed))

    def follow(self, reading: Reading, node: Node, changed: Set[Node] = frozenset()) -> Iterator[Node]:
        """What lives as long as ``node``."""
        yield from self._back.get(node, ())
        known = None if node in changed else self._edges.get(node)
        yield from edges(reading, node) if known is None else known

    def note(self, node: Node, follow: Iterable[Node]) -> None:
        """Note a collectable object and what it refers to."""
        self.collectable.append(node)
        self._edges[node] = tuple(follow)

    def expires(self, at: int | None) -> bool:
        """Whether that moment has come; if not, note it as one to come back for."""
        if at is None:
            return False
        if at < self.now:
            return True
        self.next_expiry = min(self.next_expiry or at, at)
        return False

    def keep_if_kept(self, parent: Node, child: Node) -> None:
        """Note a back reference: ``child`` lives as long as ``parent``."""
        self._back.setdefault(parent, []).append(child)

    def note_conditions(self, node: Node, values: Mapping[str, str]) -> None:
        """Note the conditional references that ``node`` makes. Only content and images make any."""
        self._conditions.extend((node, condition) for condition in references.conditions(node.namespace, values))

    def note_use(self, node: Node, values: Mapping[str, str]) -> None:
        """Note when a snapshot was used."""
        if (used_at := references.used_at(values)) is not None:
            self._used_at[node] = used_at

    def settle_conditions(self) -> None:
        """Turn the conditional references that hold into back references."""
        for owner, condition in self._conditions:
            used_at = self._used_at.get(condition.target)
            if used_at is not None and condition.holds(used_at, self.now):
                self.keep_if_kept(owner, condition.target)


def make(reading: Reading, now: int, outside: Callable[[Mark], None] = lambda mark: None) -> Mark:
    """Mark everything that is reachable in the snapshot; ``outside`` notes what there is besides."""
    mark = Mark(now)
    outside(mark)
    mark.extend(reading, scan(reading, mark))
    return mark


def scan(reading: Reading, mark: Mark) -> list[Node]:
    """Note all there is in ``mark``, and return the roots."""
    roots = [
        *_leases(reading, mark),
        *_images(reading, mark),
        *_ingests(reading, mark),
        *_contents(reading, mark),
        *_containers(reading, mark),
        *_sandboxes(reading),
        *_snapshots(reading, mark),
        *_promotions(reading),
    ]
    mark.settle_conditions()
    return roots


def edges(reading: Reading, node: Node) -> Iterator[Node]:
    """What ``node`` refers to by itself; nothing for one that does not exist."""
    namespace = node.namespace
    if node.kind is Kind.SNAPSHOT:
        snapshotter, _, key = node.key.partition("/")
        if snapshot := reading.get(rows.SNAPSHOTS, namespace, snapshotter, key):
            yield from _of_snapshot(node, snapshot)
    elif node.kind is Kind.IMAGE:
        if image := reading.get(rows.IMAGES, namespace, node.key):
            yield from _of_image(node, image)
    elif node.kind is Kind.CONTENT:
        if not node.flat and (blob := reading.get(rows.BLOBS, namespace, node.key)):
            yield from references.forward(namespace, blob.labels)
    elif node.kind is Kind.CONTAINER:
        if container := reading.get(rows.CONTAINERS, namespace, node.key):
            if container.snapshotter:
                yield nodes.snapshot(namespace, container.snapshotter, container.snapshot_key)
            yield from references.forward(namespace, container.labels)
    elif node.kind is Kind.SANDBOX:
        if sandbox := reading.get(rows.SANDBOXES, namespace, node.key):
            yield from references.forward(namespace, sandbox.labels)
    elif node.kind is Kind.INGEST:
        if ingest := reading.get(rows.INGESTS, namespace, node.key):
            yield from _of_ingest(node, ingest)
    elif node.kind is Kind.LEASE and (lease := reading.get(rows.LEASES, namespace, node.key)):
        yield from _of_lease(reading, node, lease)


def _of_snapshot(node: Node, row: Snapshot) -> Iterator[Node]:
    if row.parent:
        yield nodes.snapshot(node.namespace, node.key.partition("/")[0], row.parent, node.flat)
    yield from () if node.flat else references.forward(node.namespace, row.labels)


def _of_image(node: Node, row: Image) -> Iterator[Node]:
    yield Node(Kind.CONTENT, node.namespace, row.target.digest, node.flat)
    yield from () if node.flat else references.forward(node.namespace, row.labels)


def _of_ingest(node: Node, row: Ingest) -> Iterator[Node]:
    if row.expected:
        yield Node(Kind.CONTENT, node.namespace, row.expected)


def _of_lease(reading: Reading, node: Node, row: Lease) -> Iterator[Node]:
    flat = labels.GC_FLAT in row.labels
    for (namespace, _, type, id), _ in reading.scan(rows.HOLDINGS, node.namespace, node.key):
        kind, _, snapshotter = type.partition("/")
        if kind == "snapshots":
            yield nodes.snapshot(namespace, snapshotter, id, flat)
        elif kind == "ingests":
            yield Node(Kind.INGEST, namespace, id)
        else:
            yield Node(Kind.CONTENT if kind == "content" else Kind.IMAGE, namespace, id, flat)


def _leases(reading: Reading, mark: Mark) -> Iterator[Node]:
    for (namespace, id), row in reading.scan(rows.LEASES):
        node = Node(Kind.LEASE, namespace, id)
        mark.note(node, _of_lease(reading, node, row))
        if not mark.expires(expiries.of(row.labels)):
            yield node


def _images(reading: Reading, mark: Mark) -> Iterator[Node]:
    for (namespace, name), row in reading.scan(rows.IMAGES):
        node = Node(Kind.IMAGE, namespace, name)
        mark.note(node, _of_image(node, row))
        mark.note_conditions(node, row.labels)
        if not mark.expires(expiries.of(row.labels)):
            yield node
            continue
        # An expired image is still kept by whoever refers to it.
        for parent in references.backward(namespace, row.labels):
            mark.keep_if_kept(parent, node)


def _ingests(reading: Reading, mark: Mark) -> Iterator[Node]:
    for (namespace, ref), row in reading.scan(rows.INGESTS):
        node = Node(Kind.INGEST, namespace, ref)
        mark.note(node, _of_ingest(node, row))
        if row.expires_at and not mark.expires(row.expires_at):
            yield node


def _contents(reading: Reading, mark: Mark) -> Iterator[Node]:
    for (namespace, digest), row in reading.scan(rows.BLOBS):
        node = Node(Kind.CONTENT, namespace, digest)
        mark.note(node, references.forward(namespace, row.labels))
        mark.note_conditions(node, row.labels)
        for parent in references.backward(namespace, row.labels):
            mark.keep_if_kept(parent, node)
        if references.is_root(row.labels):
            yield node


def _containers(reading: Reading, mark: Mark) -> Iterator[Node]:
    return (Node(Kind.CONTAINER, parts[0], parts[1]) for parts, _ in reading.scan(rows.CONTAINERS))


def _sandboxes(reading: Reading) -> Iterator[Node]:
    return (Node(Kind.SANDBOX, parts[0], parts[1]) for parts, _ in reading.scan(rows.SANDBOXES))


def _snapshots(reading: Reading, mark: Mark) -> Iterator[Node]:
    for (namespace, snapshotter, key), row in reading.scan(rows.SNAPSHOTS):
        node = nodes.snapshot(namespace, snapshotter, key)
        mark.note(node, _of_snapshot(node, row))
        mark.note_use(node, row.labels)
        for parent in references.backward(namespace, row.labels):
            mark.keep_if_kept(parent, node)
        if references.is_root(row.labels):
            yield node


def _promotions(reading: Reading) -> Iterator[Node]:
    for (namespace, snapshotter, key), row in reading.scan(rows.PROMOTIONS):
        yield nodes.snapshot(namespace, snapshotter, key)
        if row.parent:
            yield nodes.snapshot(namespace, snapshotter, row.parent)
