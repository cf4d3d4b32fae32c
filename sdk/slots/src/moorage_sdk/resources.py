"""What is collected without lying in the metadata store: the door through which it takes part in garbage collection.

The owner of such things registers with ``Metadata.collects``. What is listed lives as long as its lease, or what its
labels ``containerd.io/gc.bref.…`` name, or as long as an object that lives names it in a label
``containerd.io/gc.ref.<kind>``. A collection asks, in this order, once each:

1. ``all``, when it begins: only what is listed then can be collected.
2. ``condemn``, with those that nothing keeps, inside the store's transaction: whatever would keep them afterwards comes
   after it. From now on the owner acts as if they were gone, so that nobody picks one up that is about to go.
3. ``remove``, for each of them, without a lock, then ``cleanup``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Item:
    """One thing. ``token`` tells it from a later one of the same name; ``lease`` is "" for none."""

    namespace: str
    name: str
    token: str = ""
    lease: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


class Resources(ABC):
    """All things of one kind. Methods are called from any thread."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """The word for it in labels and messages, such as ``mount``."""

    @abstractmethod
    def all(self) -> Sequence[Item]:
        """What is there now, of all namespaces; what is still being made is left out."""

    @abstractmethod
    def condemn(self, items: Sequence[Item]) -> None:
        """Act as if these were gone. Must not block, and must not fail for what went by itself meanwhile."""

    @abstractmethod
    def remove(self, item: Item) -> None:
        """Remove what was condemned. Raises errors.NotFound when it is gone, other errors to be reported."""

    @abstractmethod
    def cleanup(self) -> None:
        """Try again what earlier removals left. Raises errors.Error."""
