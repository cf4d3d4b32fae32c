"""The slot ``snapshotter``: layered file systems.

Vocabulary, as in containerd (``core/snapshots/snapshotter.go``): an *active* snapshot is writable and has a *key*; a
*view* is a read-only one; *committed* snapshots have a *name*, never change and may be a *parent*. Keys and names share
one space. ``prepare`` makes an active snapshot, ``commit`` turns it into a committed one under another name.

    mounts = snapshotter.prepare("extract-1", parent="")
    ...                                   # mount, unpack the first layer, unmount
    snapshotter.commit("layer-1", "extract-1")
    mounts = snapshotter.prepare("web", parent="layer-1")   # a container's root file system

As with content, backends (overlayfs, native, btrfs) and the namespaced view of the metadata slot fill one interface. A
backend sees keys of the form ``namespace/sequence/key`` and only inherited labels (``labels.SNAPSHOT_PREFIX``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol, runtime_checkable

from moorage_sdk.mounts import Mount
from moorage_sdk.slots import Slot


class Kind(IntEnum):
    """Numbers of ``containerd.services.snapshots.v1.Kind``."""

    UNKNOWN = 0
    VIEW = 1
    ACTIVE = 2
    COMMITTED = 3


@dataclass(frozen=True)
class Info:
    """A snapshot. ``name`` is its key while it is active or a view. Times in nanoseconds since the epoch."""

    kind: Kind
    name: str
    parent: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    created_at: int = 0
    updated_at: int = 0


@dataclass(frozen=True)
class Usage:
    """Disk space of one snapshot without its parents: bytes allocated, and inodes."""

    size: int = 0
    inodes: int = 0


class Snapshotter(ABC):
    """Methods block and may be called from many threads.

    After a crash at any moment: what was acknowledged is there, what was not is either there or absent, and leftovers
    are removed by the next ``cleanup``.
    """

    @property
    def stat_waits(self) -> bool:
        """Whether ``stat`` may take longer than a point read of a local store, as where another process is asked.

        Who says False is also asked on the daemon's event loop, which must never wait.
        """
        return True

    @abstractmethod
    def stat(self, key: str) -> Info:
        """Raises errors.NotFound."""

    @abstractmethod
    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        """Change labels, all of them (no paths) or those named. Raises errors.NotFound, errors.InvalidArgument."""

    @abstractmethod
    def usage(self, key: str) -> Usage:
        """Raises errors.NotFound. Of a committed snapshot it is computed once."""

    @abstractmethod
    def mounts(self, key: str) -> tuple[Mount, ...]:
        """The mounts of an active snapshot or a view. Raises errors.NotFound, errors.FailedPrecondition (committed)."""

    @abstractmethod
    def prepare(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        """Make an active snapshot on a committed parent, or on nothing.

        Raises errors.AlreadyExists for the key, errors.NotFound for the parent, errors.InvalidArgument for a parent
        that is not committed. A *remote* snapshotter that already has what ``labels.SNAPSHOT_REF`` names raises
        errors.AlreadyExists, too, and offers it as a committed snapshot carrying that label.
        """

    @abstractmethod
    def view(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        """Make a read-only view. Raises as ``prepare`` does."""

    @abstractmethod
    def commit(self, name: str, key: str, labels: Mapping[str, str] | None = None, parent: str = "") -> None:
        """Turn the active ``key`` into the committed ``name``; the key is gone then.

        Labels come from here only. ``parent`` gives an active snapshot without a parent one ("rebase", which parallel
        unpacking uses). Raises errors.AlreadyExists for the name, errors.NotFound for the key,
        errors.FailedPrecondition for a view or committed key, errors.Unimplemented for a rebase that it cannot do.
        """

    @abstractmethod
    def remove(self, key: str) -> None:
        """Raises errors.NotFound, and errors.FailedPrecondition for a snapshot with children."""

    @abstractmethod
    def walk(self) -> Iterator[Info]:
        """All snapshots, by name. Other calls are allowed meanwhile, from the same thread, too."""

    @abstractmethod
    def close(self) -> None:
        """Release resources. Calling it again does nothing."""


@runtime_checkable
class Cleaner(Protocol):
    """What a snapshotter with deferred removals also can."""

    def cleanup(self) -> None:
        """Remove from disk what is no longer a snapshot. Called after each garbage collection."""


SNAPSHOTTER: Slot[Snapshotter] = Slot("snapshotter", "io.containerd.snapshotter.v1")
