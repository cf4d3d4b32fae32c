"""The slot ``transfer``: images between registries, archives and the store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from moorage_sdk.descriptors import Descriptor
from moorage_sdk.images import Image
from moorage_sdk.metadata import View
from moorage_sdk.platforms import Platform
from moorage_sdk.slots import Slot


@dataclass(frozen=True)
class Progress:
    """One line of a progress report, in the words of ``containerd.types.transfer.Progress``.

    ``event`` of a line about a blob is ``waiting``, ``downloading``, ``complete``, ``already exists``, ``extracting``,
    ``extracted`` or ``uploading``, about an image ``fetching image content``, ``saved``, ``pushing content`` or
    ``pushed content``; a line without ``name`` is free text (``core/transfer/local/progress.go`` in containerd).
    ``progress`` of ``total`` in bytes, both 0 where there is nothing to count; ``descriptor`` is what it is about.
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
class ExtraName:
    """A further name of an image, in the words of ``containerd.types.transfer.ImageReference``.

    A prefix is completed: by the tag that an archive gives the image, or by the digest with ``add_digest``. A full name
    in the archive counts if the prefix begins it, or any with ``allow_overwrite``; ``skip_named_digest`` leaves the
    digest away where there is such a name.
    """

    name: str
    is_prefix: bool = False
    allow_overwrite: bool = False
    add_digest: bool = False
    skip_named_digest: bool = False


@dataclass(frozen=True)
class Pull:
    """``reference`` is a full image reference; ``platforms`` empty means every one of the index.

    ``name`` is the image's name in the store, the reference when empty; ``extra_names`` live as long as it. With
    ``all_metadata`` manifests and configurations of the other platforms come, too, their layers do not. ``cancelled``
    is asked often, from any thread.
    """

    reference: str
    name: str = ""
    platforms: tuple[Platform, ...] = ()
    unpacks: Sequence[Unpack] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    registry: Registry = field(default_factory=Registry)
    all_metadata: bool = False
    extra_names: tuple[ExtraName, ...] = ()
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Push:
    """``reference`` says where the image goes, with or without a tag; ``name`` is its name in the store, the reference
    when empty. ``platforms`` empty means every one of the index. ``cancelled`` is asked often, from any thread.
    """

    reference: str
    name: str = ""
    platforms: tuple[Platform, ...] = ()
    registry: Registry = field(default_factory=Registry)
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Store:
    """How images are named and what of them is taken, in the words of ``containerd.types.transfer.ImageStore``.

    ``name`` may be empty where others are given; ``platforms`` empty means all, ``manifest_limit`` 0 any number.
    """

    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    extra_names: tuple[ExtraName, ...] = ()
    platforms: tuple[Platform, ...] = ()
    unpacks: Sequence[Unpack] = ()
    all_metadata: bool = False
    manifest_limit: int = 0


class Source(Protocol):
    """Bytes of a client."""

    def read(self, size: int, /) -> bytes:
        """Wait for some bytes, up to ``size``; b"" at the end. Raises errors.Cancelled."""


class Sink(Protocol):
    """Takes bytes to a client."""

    def write(self, data: bytes, /) -> object:
        """Send all of ``data``, at the client's pace. Raises errors.Cancelled, errors.Unavailable for one that left."""


@dataclass(frozen=True)
class Import:
    """An archive: an OCI layout, or what ``docker save`` writes, in a tar. It may be compressed, unless it has a type.

    ``force_compress`` compresses plain layers of an archive that has no manifests of its own.
    """

    source: Source
    store: Store
    media_type: str = ""
    force_compress: bool = False
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Export:
    """The images ``names`` as one archive. Of an index what is for ``platforms`` (this machine's when empty), or all.

    ``skip_compatibility_manifest`` leaves away what old dockers read, ``skip_non_distributable`` foreign layers.
    """

    names: tuple[str, ...]
    sink: Sink
    platforms: tuple[Platform, ...] = ()
    all_platforms: bool = False
    skip_compatibility_manifest: bool = False
    skip_non_distributable: bool = False
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Tag:
    """The names of ``store`` for the image that is called ``source``."""

    source: str
    store: Store


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

    @abstractmethod
    def push(self, view: View, push: Push, report: Report) -> Image:
        """Bring to the registry what it has not of the image, children before what lists them; returns the image.

        An index keeps all its entries, also where ``platforms`` chooses among them. Raises errors.NotFound for an
        image, a blob or a fitting platform that is not in the store, errors.Unauthenticated or
        errors.PermissionDenied when the registry refuses, errors.FailedPrecondition when it does not want the image
        as it is, errors.Unavailable when it cannot be reached, errors.DataLoss when it received other bytes,
        errors.Cancelled.
        """


@runtime_checkable
class Archiver(Protocol):
    """What a transfer that knows archives and names also can. All of it under a lease; images that exist are moved."""

    def import_archive(self, view: View, request: Import, report: Report) -> list[Image]:
        """Read an archive to its end, store and unpack what it holds, and then name it; the images by name.

        Raises errors.InvalidArgument for what is no such archive, errors.DataLoss for a damaged one, errors.NotFound
        for content that it lacks, errors.ResourceExhausted, errors.Cancelled. Nothing is named then.
        """

    def export_archive(self, view: View, request: Export, report: Report) -> None:
        """Write an archive; the same images give the same bytes.

        Raises errors.NotFound before the first byte for an unknown image, for content that is not there or when no
        platform fits, errors.InvalidArgument for an image that is none.
        """

    def tag(self, view: View, request: Tag) -> list[Image]:
        """Give an image further names. Raises errors.NotFound for an unknown image, or when no name is given."""


TRANSFER: Slot[Transfer] = Slot("transfer", "io.containerd.transfer.v1")
