"""Containers: the records that tasks are made from. A record runs nothing by itself."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moorage_sdk import errors
from moorage_sdk.events import Payload


@dataclass(frozen=True)
class Runtime:
    """Which runtime carries the container (``io.containerd.runc.v2``), and its options."""

    name: str
    options: Payload | None = None


@dataclass(frozen=True)
class Container:
    """``spec`` is the OCI runtime specification, JSON in a payload. Times in nanoseconds since the epoch."""

    id: str
    runtime: Runtime
    spec: Payload | None = None
    image: str = ""
    snapshotter: str = ""
    snapshot_key: str = ""
    sandbox: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, Payload] = field(default_factory=dict)
    created_at: int = 0
    updated_at: int = 0


def parse_spec(id: str, spec: bytes) -> dict[str, Any]:
    """The specification of the container ``id``. Raises errors.InvalidArgument for what is not a JSON object."""
    try:
        parsed = json.loads(spec)
    except (ValueError, RecursionError) as error:
        raise errors.InvalidArgument(f'spec of container "{id}": {error}: invalid argument') from error
    if not isinstance(parsed, dict):
        raise errors.InvalidArgument(f'spec of container "{id}": not a JSON object: invalid argument')
    return parsed


class Containers(ABC):
    """The containers of one namespace."""

    @abstractmethod
    def get(self, id: str) -> Container:
        """Raises errors.NotFound."""

    @abstractmethod
    def list(self) -> list[Container]:
        """All, by id."""

    @abstractmethod
    def create(self, container: Container) -> Container:
        """Raises errors.AlreadyExists, and errors.InvalidArgument for what is missing or malformed."""

    @abstractmethod
    def update(self, container: Container, paths: Sequence[str] = ()) -> Container:
        """Paths: labels, labels.K, spec, extensions, extensions.K, image, snapshotkey.

        Without paths all mutable fields are replaced, and the immutable ones must agree.
        Raises errors.NotFound, errors.InvalidArgument.
        """

    @abstractmethod
    def delete(self, id: str) -> None:
        """The record goes, snapshot and task do not. Raises errors.NotFound."""
