"""Leases: they keep what they hold from garbage collection until they are deleted or expire."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Lease:
    """``created_at`` in nanoseconds since the epoch. labels.GC_EXPIRE holds the end of its life (RFC 3339)."""

    id: str
    created_at: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Resource:
    """What a lease holds: ``type`` is ``content``, ``ingests``, ``images`` or ``snapshots/<snapshotter>``."""

    id: str
    type: str


class Leases(ABC):
    """The leases of one namespace."""

    @abstractmethod
    def create(self, id: str = "", labels: Mapping[str, str] | None = None) -> Lease:
        """An empty id lets the store choose one. Raises errors.AlreadyExists, errors.InvalidArgument."""

    @abstractmethod
    def delete(self, id: str) -> None:
        """Raises errors.NotFound."""

    @abstractmethod
    def list(self) -> list[Lease]:
        """All, by id."""

    @abstractmethod
    def add_resource(self, id: str, resource: Resource) -> None:
        """The resource need not exist. Raises errors.NotFound for the lease, errors.Unimplemented for the type."""

    @abstractmethod
    def delete_resource(self, id: str, resource: Resource) -> None:
        """Raises as ``add_resource``; a resource that is not held is no error."""

    @abstractmethod
    def resources(self, id: str) -> Sequence[Resource]:
        """Content, images, ingests, snapshots, in this order. Raises errors.NotFound."""
