"""What stands behind the views: content store and snapshotters, each with what all namespaces must share of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from moorage_metadata_lmdb.gates import Gate
from moorage_metadata_lmdb.reservations import Reservations
from moorage_sdk import labels
from moorage_sdk.content import ContentStore
from moorage_sdk.snapshots import Snapshotter


@dataclass(frozen=True)
class Blobs:
    """The content store. ``shared`` is the policy; ``references`` holds namespace and reference of open writers."""

    backend: ContentStore
    shared: bool = True
    gate: Gate = field(default_factory=Gate)
    references: Reservations = field(default_factory=Reservations)


@dataclass(frozen=True)
class Layers:
    """A snapshotter. ``busy`` holds names while a commit makes them, keys while it takes them."""

    name: str
    backend: Snapshotter
    gate: Gate = field(default_factory=Gate)
    busy: Reservations = field(default_factory=Reservations)


def inherited(values: Mapping[str, str]) -> dict[str, str]:
    """The labels that a snapshotter gets to see (``FilterInheritedLabels`` in ``core/snapshots/snapshotter.go``)."""
    prefix, reference = labels.SNAPSHOT_PREFIX, labels.SNAPSHOT_REF
    return {key: value for key, value in values.items() if key.startswith(prefix) or key == reference}
