"""From a snapshot and its ancestors to mounts, as values.

Order and spelling are those of ``overlay.go`` in containerd v2.3: runtimes receive these options as they stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from moorage_kv.snapshots import Record
from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Kind
from moorage_sys import userns_maps

UID_MAPPING = "containerd.io/snapshot/uidmapping"
GID_MAPPING = "containerd.io/snapshot/gidmapping"


@dataclass(frozen=True)
class Layout:
    """Where things lie: ``<folder>/<number>/fs`` and ``work``. ``options`` end every overlay mount."""

    folder: Path
    options: tuple[str, ...] = ()
    maps_ids: bool = False

    def upper(self, number: int) -> Path:
        return self.folder / str(number) / "fs"

    def work(self, number: int) -> Path:
        return self.folder / str(number) / "work"


def mounts(layout: Layout, lineage: Sequence[Record]) -> tuple[Mount, ...]:
    """How to mount the first of ``lineage`` over the others, which are its ancestors, newest first."""
    newest, parents = lineage[0], lineage[1:]
    mapping = _mapping_options(newest.info.labels) if layout.maps_ids else ()
    if not parents:
        access = "ro" if newest.info.kind is Kind.VIEW else "rw"
        return (Mount("bind", str(layout.upper(newest.number)), (*mapping, access, "rbind")),)
    if newest.info.kind is Kind.VIEW and len(parents) == 1:
        # Overlay wants two lower directories or an upper one.
        return (Mount("bind", str(layout.upper(parents[0].number)), (*mapping, "ro", "rbind")),)
    upper: tuple[str, ...] = ()
    if newest.info.kind is Kind.ACTIVE:
        upper = (f"workdir={layout.work(newest.number)}", f"upperdir={layout.upper(newest.number)}")
    lower = "lowerdir=" + ":".join(str(layout.upper(parent.number)) for parent in parents)
    return (Mount("overlay", "overlay", (*mapping, *upper, lower, *layout.options)),)


def mapped_root(labels: Mapping[str, str]) -> tuple[int, int] | None:
    """Owner and group that the root of a user namespace has on the host, or None without a mapping.

    Raises errors.InvalidArgument for a malformed one and for one that leaves root out.
    """
    if UID_MAPPING not in labels and GID_MAPPING not in labels:
        return None
    return _host_root(labels.get(UID_MAPPING, "")), _host_root(labels.get(GID_MAPPING, ""))


def _host_root(ranges: str) -> int:
    for inside, outside, _ in userns_maps.parse(ranges):
        if inside == 0:
            return outside
    raise errors.InvalidArgument(f'id mapping "{ranges}": has no entry for root: invalid argument')


def _mapping_options(labels: Mapping[str, str]) -> tuple[str, ...]:
    named = (("uidmap", UID_MAPPING), ("gidmap", GID_MAPPING))
    return tuple(f"{option}={labels[label]}" for option, label in named if label in labels)
