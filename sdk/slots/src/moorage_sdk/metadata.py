"""The slot ``metadata``: names for everything, and the only place where namespaces are applied.

``view(namespace)`` hands out one namespace's content, snapshots, images, containers, sandboxes and leases. Services
hold views and nothing else. All of it lies in one transactional store, so that a change across kinds is one
transaction, and garbage collection sees one consistent state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from moorage_sdk.containers import Containers
from moorage_sdk.content import ContentStore
from moorage_sdk.garbage import Object
from moorage_sdk.images import Images
from moorage_sdk.leases import Leases
from moorage_sdk.namespaces import Namespaces
from moorage_sdk.resources import Resources
from moorage_sdk.sandboxes import Sandboxes
from moorage_sdk.slots import Slot
from moorage_sdk.snapshots import Snapshotter


class View(ABC):
    """One namespace, seen with or without a lease: what is created through it is added to the lease, if there is one.

    Views cost nothing and keep nothing open; make one per request.
    """

    @property
    @abstractmethod
    def namespace(self) -> str: ...

    @property
    def lease(self) -> str:
        """The lease that what is created is added to; "" for none. Not abstract: a view without leases has none."""
        return ""

    @property
    @abstractmethod
    def content(self) -> ContentStore: ...

    @property
    @abstractmethod
    def images(self) -> Images: ...

    @property
    @abstractmethod
    def containers(self) -> Containers: ...

    @property
    @abstractmethod
    def sandboxes(self) -> Sandboxes: ...

    @property
    @abstractmethod
    def leases(self) -> Leases: ...

    @abstractmethod
    def snapshotter(self, name: str) -> Snapshotter:
        """Raises errors.InvalidArgument for a snapshotter that is unknown or did not start, saying which and why."""


class Change(Enum):
    """What the garbage collector's schedule depends on."""

    MUTATION = "mutation"
    DELETION = "deletion"


@dataclass(frozen=True)
class Collection:
    """What one garbage collection did: what it removed, names before data, and its duration in seconds.

    ``pause`` is the part during which writers waited. ``next_expiry`` is the earliest expiry of a lease, ingest or
    image that is still there, in nanoseconds since the epoch, 0 for none. ``failures`` are removals that did not work.
    ``marking`` is how long it took to find out what is reachable, while writers went on.
    """

    removed: tuple[Object, ...] = ()
    failures: tuple[str, ...] = ()
    pause: float = 0.0
    elapsed: float = 0.0
    next_expiry: int = 0
    marking: float = 0.0


class Metadata(ABC):
    """Methods block; reads are point look-ups of microseconds, writes wait for the disk."""

    @property
    @abstractmethod
    def namespaces(self) -> Namespaces: ...

    @property
    @abstractmethod
    def snapshotters(self) -> Sequence[str]:
        """Names of the snapshotters that work."""

    @property
    @abstractmethod
    def default_snapshotter(self) -> str:
        """The one for callers who name none. Raises errors.FailedPrecondition when it does not work, or none does."""

    @abstractmethod
    def view(self, namespace: str, lease: str = "") -> View:
        """Raises errors.FailedPrecondition without a namespace, errors.InvalidArgument for a malformed one.

        A lease that does not exist is found out by the first creation: errors.NotFound.
        """

    @abstractmethod
    def collect(self) -> Collection:
        """Mark what is reachable, sweep the rest, then remove it from the backends. One at a time."""

    @abstractmethod
    def collects(self, resources: Resources) -> None:
        """Let things that lie elsewhere take part in garbage collection from now on; one owner per kind, the last."""

    @abstractmethod
    def watch(self, changed: Callable[[Change], None]) -> None:
        """Call ``changed`` after every committed change, from any thread. It must not block."""


METADATA: Slot[Metadata] = Slot("metadata", "io.containerd.metadata.v1")
