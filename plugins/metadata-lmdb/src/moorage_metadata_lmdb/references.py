"""The grammar of garbage collection labels (``startGCContext`` in ``core/metadata/gc.go``).

All names begin with ``containerd.io/``. Forward references (``gc.ref.content``, ``gc.ref.image``,
``gc.ref.snapshot.<snapshotter>``, and ``gc.ref.<kind>`` for what lies outside of the store) keep what they name as long
as the labelled object lives. Back references (``gc.bref.…``) keep the labelled object as long as what they name lives.
Behind the kind only ``.`` or ``/`` may follow, and the rest is ignored; the name of a snapshotter ends at the first
``/``. Conditional references (``gc.cond.snapshot[.<snapshotter>]``) keep a snapshot whose label
``gc.cond.value-usedat`` fulfils one of the conditions.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from moorage_metadata_lmdb import expiries, nodes
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_sdk import labels
from moorage_sdk.durations import Duration

_FORWARD = {labels.GC_REF_CONTENT: Kind.CONTENT, labels.GC_REF_IMAGE: Kind.IMAGE}
_BACKWARD = {
    labels.GC_BACK_REF + "container": Kind.CONTAINER,
    labels.GC_BACK_REF + "content": Kind.CONTENT,
    labels.GC_BACK_REF + "image": Kind.IMAGE,
}
_COLLECTIBLE = re.compile(r"containerd\.io/gc\.ref\.([^./]+)(?:[./]|$)")
_STORED = frozenset({"content", "image", "snapshot"})
_CONDITION = "containerd.io/gc.cond.snapshot"
_USED_AT = "containerd.io/gc.cond.value-usedat"


def forward(namespace: str, values: Mapping[str, str]) -> Iterator[Node]:
    """What the object with these labels keeps alive."""
    yield from _references(namespace, values, _FORWARD, labels.GC_REF_SNAPSHOT)
    yield from _collectibles(namespace, values)


def backward(namespace: str, values: Mapping[str, str]) -> Iterator[Node]:
    """What keeps the object with these labels alive."""
    return _references(namespace, values, _BACKWARD, labels.GC_BACK_REF + "snapshot.")


def is_root(values: Mapping[str, str]) -> bool:
    """Whether a label, of whatever value, makes the object a root."""
    return any(key.startswith(labels.GC_ROOT) for key in values)


@dataclass(frozen=True)
class Condition:
    """A conditional reference: ``target`` is kept if it was used less (``<``) or more (``>``) than ``age`` ns ago."""

    target: Node
    operator: str
    age: int

    def holds(self, used_at: int, now: int) -> bool:
        """``used_at`` and ``now`` in nanoseconds since the epoch."""
        return now - used_at < self.age if self.operator == "<" else now - used_at > self.age


def conditions(namespace: str, values: Mapping[str, str]) -> Iterator[Condition]:
    """The conditional references of the object with these labels. What is malformed or unknown is left out."""
    for key, value in values.items():
        if key.startswith(_CONDITION) and "|" in value:
            snapshotter = key[len(_CONDITION) :].lstrip("./").partition("/")[0]
            listed, _, name = value.partition("|")
            target = nodes.snapshot(namespace, snapshotter, name)
            for text in listed.split(","):
                yield from _condition(target, text)


def used_at(values: Mapping[str, str]) -> int | None:
    """When the object with these labels was last used, in nanoseconds since the epoch."""
    return expiries.parse(values.get(_USED_AT, ""))


def _condition(target: Node, text: str) -> Iterator[Condition]:
    for operator in "<>":
        name, found, age = text.partition(operator)
        if found and name == "usedat":
            with contextlib.suppress(ValueError):
                yield Condition(target, operator, Duration.parse(age).nanoseconds)


def _collectibles(namespace: str, values: Mapping[str, str]) -> Iterator[Node]:
    for key, value in values.items():
        if (match := _COLLECTIBLE.match(key)) and match[1] not in _STORED:
            yield nodes.collectible(namespace, match[1], value)


def _references(namespace: str, values: Mapping[str, str], plain: Mapping[str, Kind], snapshots: str) -> Iterator[Node]:
    for key, value in values.items():
        if key.startswith(snapshots):
            yield nodes.snapshot(namespace, key[len(snapshots) :].partition("/")[0], value)
            continue
        for name, kind in plain.items():
            if key == name or key.startswith((name + ".", name + "/")):
                yield Node(kind, namespace, value)
