"""What stands behind the views: content store and snapshotters, each with what all namespaces must share of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from moorage_metadata_lmdb.gates import Gate
from moorage_metadata_lmdb.reservations import Reservations
from moorage_sdk import labels, namespaces
from moorage_sdk.content import ContentStore
from moorage_sdk.snapshots import Snapshotter


@dataclass(frozen=True)
class Blobs:
    """The content store. ``shared`` is the policy; ``references`` holds namespace and reference of open writers."""

    backend: ContentStore
    shared: bool = True
    gate: Gate = field(default_factory=Gate)
    references: Reservations = field(default_factory=Reservations)

    def within(self, namespace: str) -> Blobs:
        """The same for a backend that must know whom it works for."""
        backend = namespaces.within(self.backend, namespace)
        return self if backend is self.backend else replace(self, backend=backend)


@dataclass(frozen=True)
class Layers:
    """A snapshotter. ``busy`` holds names while a commit makes them, keys while it takes them."""

    name: str
    backend: Snapshotter
    gate: Gate = field(default_factory=Gate)
    busy: Reservations = field(default_factory=Reservations)

    def within(self, namespace: str) -> Layers:
        """The same for a backend that must know whom it works for."""
        backend = namespaces.within(self.backend, namespace)
        return self if backend is self.backend else replace(self, backend=backend)


def inherited(values: Mapping[str, str]) -> dict[str, str]:
    """The labels that a snapshotter gets to see (``FilterInheritedLabels`` in ``core/snapshots/snapshotter.go``)."""
    prefix, reference = labels.SNAPSHOT_PREFIX, labels.SNAPSHOT_REF
    return {key: value for key, value in values.items() if key.startswith(prefix) or key == reference}
