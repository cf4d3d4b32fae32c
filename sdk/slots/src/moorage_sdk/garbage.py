"""Garbage as a value: what a collection would remove, and what keeps an object from being removed.

Names and data are different objects. ``content default sha256:…`` is a name that a namespace has for a blob and takes
no room; ``blob sha256:…`` is the blob itself, which goes when nobody has a name for it any more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, order=True)
class Object:
    """The key of a snapshot is ``snapshotter/key``. What lies in a backend has no namespace."""

    kind: str
    namespace: str
    key: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.namespace, self.key) if part)


@dataclass(frozen=True)
class Step:
    """An object, and how the one before it refers to it; for the first one, why it is a root."""

    object: Object
    because: str

    def __str__(self) -> str:
        return f"{self.object} ({self.because})"


@dataclass(frozen=True)
class Explanation:
    """What keeps ``object``: one path of references for each root, shortest first; no path means that it is garbage."""

    object: Object
    paths: tuple[tuple[Step, ...], ...] = ()


@dataclass(frozen=True)
class Removal:
    """``size`` in bytes that come back, 0 for a name, None where nobody knows."""

    object: Object
    size: int | None = 0

    def __str__(self) -> str:
        return f"{self.object} {'?' if self.size is None else self.size}"


@dataclass(frozen=True)
class Plan:
    """What a collection would remove that began now, names before data.

    ``failures`` are backends that could not be asked. ``next_expiry`` in nanoseconds since the epoch, 0 for none.
    """

    removals: tuple[Removal, ...] = ()
    failures: tuple[str, ...] = ()
    next_expiry: int = 0

    @property
    def size(self) -> int:
        """Bytes of all removals whose size is known."""
        return sum(removal.size or 0 for removal in self.removals)

    @property
    def counts(self) -> dict[str, int]:
        """How many objects of each kind go."""
        return dict(Counter(removal.object.kind for removal in self.removals))


@runtime_checkable
class Planner(Protocol):
    """A metadata plugin that can say beforehand what a collection will do."""

    def plan(self) -> Plan:
        """Blocks as long as marking does, and asks the backends for sizes."""

    def why(self, wanted: Object) -> Explanation:
        """What keeps the object that ``wanted`` spells: an empty kind stands for any, and the key may be shortened.

        Raises:
            errors.NotFound: no object is spelled so.
            errors.InvalidArgument: several are, or there is no such kind.
        """
