"""Namespaces: separate worlds of names in one daemon. Administrative, not a security boundary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar, runtime_checkable

from moorage_sdk import errors, identifiers

T = TypeVar("T")


@runtime_checkable
class Namespaced(Protocol):
    """What a content store, snapshotter or differ that must know on whose behalf it works also can."""

    def within(self, namespace: str) -> Self:
        """The same one, for calls of one namespace. Calls on nobody's behalf, such as the collector's, go without."""


def within(thing: T, namespace: str) -> T:
    """``thing`` for calls of ``namespace``, if it makes a difference to it."""
    return thing.within(namespace) if isinstance(thing, Namespaced) else thing


@dataclass(frozen=True)
class Namespace:
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


def required(namespace: str) -> str:
    """Return ``namespace``. Raises errors.FailedPrecondition when missing, errors.InvalidArgument when malformed."""
    if not namespace:
        raise errors.FailedPrecondition("namespace is required: failed precondition")
    return identifiers.validate(namespace, "namespace")


class Namespaces(ABC):
    """Any write in a namespace creates it, so most exist without ever being created."""

    @abstractmethod
    def get(self, name: str) -> Namespace:
        """A namespace nobody knows is an empty one: never errors.NotFound (as in containerd)."""

    @abstractmethod
    def list(self) -> list[Namespace]:
        """All, by name."""

    @abstractmethod
    def create(self, namespace: Namespace) -> Namespace:
        """Raises errors.AlreadyExists, also for one that a write created."""

    @abstractmethod
    def update(self, namespace: Namespace, paths: Sequence[str] = ()) -> Namespace:
        """Replace all labels (no paths) or those named; creates the namespace. Raises errors.InvalidArgument."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Raises errors.NotFound, and errors.FailedPrecondition naming what is left in it."""
