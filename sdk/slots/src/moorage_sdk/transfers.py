"""The slot ``transfer``: images between registries, archives and the store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from moorage_sdk.descriptors import Descriptor
from moorage_sdk.images import Image
from moorage_sdk.metadata import View
from moorage_sdk.platforms import Platform
from moorage_sdk.slots import Slot


@dataclass(frozen=True)
class Progress:
    """One line of a progress report, in the words of ``containerd.types.transfer.Progress``.

    ``event`` of a line about a blob is ``waiting``, ``downloading``, ``complete``, ``already exists``, ``extracting``,
    ``extracted`` or ``uploading``, about an image ``fetching image content`` or ``saved``; a line without ``name`` is
    free text (``core/transfer/local/progress.go`` in containerd). ``progress`` of ``total`` in bytes, both 0 where
    there is nothing to count; ``descriptor`` is what the line is about.
    """

    event: str
    name: str = ""
    parents: tuple[str, ...] = ()
    progress: int = 0
    total: int = 0
    descriptor: Descriptor | None = None


Report = Callable[[Progress], None]
"""Receives progress from any thread; must not block."""


@dataclass(frozen=True)
class Credentials:
    """User name and secret, or a registry token (``header``: the whole Authorization value, used as it is)."""

    username: str = ""
    secret: str = ""
    header: str = ""


class Authority(Protocol):
    """Asked once per host that wants credentials."""

    def __call__(self, host: str, reference: str, realm: str) -> Credentials | None: ...


@dataclass(frozen=True)
class Registry:
    """How a registry is reached. ``config_path`` holds ``<host>/hosts.toml`` as containerd's ``certs.d`` does."""

    config_path: str = ""
    default_scheme: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    authority: Authority | None = None


@dataclass(frozen=True)
class Unpack:
    """Unpack what was pulled for ``platform`` into ``snapshotter`` (empty: the default one)."""

    platform: Platform
    snapshotter: str = ""


@dataclass(frozen=True)
class Pull:
    """``reference`` is a full image reference; ``platforms`` empty means every one of the index.

    ``name`` is the image's name in the store, the reference when empty. With ``all_metadata`` manifests and
    configurations of the other platforms come, too, their layers do not. ``cancelled`` is asked often, from any thread.
    """

    reference: str
    name: str = ""
    platforms: tuple[Platform, ...] = ()
    unpacks: Sequence[Unpack] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    registry: Registry = field(default_factory=Registry)
    all_metadata: bool = False
    cancelled: Callable[[], bool] = lambda: False


class Transfer(ABC):
    """Methods block for as long as the network takes; run them on a pool of their own."""

    @abstractmethod
    def pull(self, view: View, pull: Pull, report: Report) -> Image:
        """Resolve, fetch into the view's content, unpack, name. All of it under a lease, so a collection cannot hurt.

        Raises errors.NotFound for an unknown image or no fitting platform, errors.Unauthenticated or
        errors.PermissionDenied when the registry refuses, errors.Unavailable when it cannot be reached,
        errors.FailedPrecondition or errors.DataLoss for bytes that are not what their descriptor says,
        errors.Cancelled. A failed pull leaves complete blobs and resumable ingests, never a named image.
        """


TRANSFER: Slot[Transfer] = Slot("transfer", "io.containerd.transfer.v1")
