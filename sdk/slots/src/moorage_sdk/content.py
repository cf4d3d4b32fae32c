"""The slot ``content``: blobs by digest, and the ingests that become blobs.

The same interface is filled twice: by a backend (``plugins/content-local``), which knows blobs of the whole host, and
by the namespaced view that the metadata slot lays over it. Clients of a view never see the backend.

Lifecycle of a blob: ``writer(ref)`` opens or resumes an ingest, ``write`` appends, ``commit`` verifies and publishes.
One writer per reference: a second one gets errors.Unavailable at once, with the age of the lock, and clients retry.
A writer that is closed without commit leaves an ingest that the next ``writer(ref)`` resumes at ``status().offset``.

    with store.writer("layer-0", size=3, expected=digest) as writer:
        writer.write(b"abc")
        writer.commit(3, digest)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from moorage_sdk.slots import Slot


@dataclass(frozen=True)
class Info:
    """What is known of a blob. ``size`` in bytes, times in nanoseconds since the epoch (0: unknown)."""

    digest: str
    size: int = 0
    created_at: int = 0
    updated_at: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Status:
    """The state of an ingest: ``offset`` bytes are written of ``total`` (0: unknown)."""

    ref: str
    offset: int = 0
    total: int = 0
    expected: str = ""
    started_at: int = 0
    updated_at: int = 0


class Reader(ABC):
    """An open blob. Positioned reads only, so that several threads may share one."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes in the blob."""

    @abstractmethod
    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer only at the end. Raises errors.OutOfRange past the end."""

    @abstractmethod
    def close(self) -> None:
        """Release the blob. Calling it again does nothing."""

    def fileno(self) -> int:
        """A descriptor of the blob's bytes, -1 where there is none (a remote store). Stays the reader's."""
        return -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class Writer(ABC):
    """An open ingest. Used by one thread at a time; holds the reference's lock until ``close`` or ``commit``."""

    @abstractmethod
    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append all of ``data``; returns its length. Raises errors.ResourceExhausted when the disk is full."""

    @abstractmethod
    def truncate(self, size: int) -> None:
        """Drop all behind ``size``; never extends. Raises errors.OutOfRange, errors.Unimplemented."""

    @abstractmethod
    def status(self) -> Status:
        """The state as of now."""

    @abstractmethod
    def digest(self) -> str:
        """The digest of the bytes so far."""

    @abstractmethod
    def commit(self, size: int = 0, expected: str = "", labels: Mapping[str, str] | None = None) -> str:
        """Make the ingest a blob and return its digest; what is acknowledged survives a power loss.

        ``size`` 0 and ``expected`` "" are not checked. Raises errors.FailedPrecondition when size or digest differ (the
        ingest stays, resumable) and errors.AlreadyExists when the blob exists (the ingest is gone then).
        """

    @abstractmethod
    def close(self) -> None:
        """Release the lock and keep the ingest. Calling it again, or after ``commit``, does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


class ContentStore(ABC):
    """Blobs and ingests. Methods block and may be called from many threads."""

    @abstractmethod
    def info(self, digest: str) -> Info:
        """Raises errors.NotFound, errors.InvalidArgument."""

    @abstractmethod
    def walk(self) -> Iterator[Info]:
        """All blobs, by digest. One that goes away meanwhile may or may not be among them."""

    @abstractmethod
    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        """Change labels, all of them (no paths) or those named (``moorage_sdk.masks``); only labels are mutable.

        Raises errors.NotFound, errors.InvalidArgument, and errors.Unimplemented where a backend keeps no labels.
        """

    @abstractmethod
    def delete(self, digest: str) -> None:
        """Forget the blob. Raises errors.NotFound. Open readers keep working."""

    @abstractmethod
    def reader(self, digest: str) -> Reader:
        """Open a blob. Raises errors.NotFound."""

    @abstractmethod
    def writer(self, ref: str, *, size: int = 0, expected: str = "") -> Writer:
        """Open or resume the ingest ``ref``.

        Raises errors.Unavailable while another writer has it, errors.AlreadyExists when the blob ``expected`` exists,
        errors.InvalidArgument for an empty reference, errors.FailedPrecondition for a ``size`` other than before.
        """

    @abstractmethod
    def status(self, ref: str) -> Status:
        """Raises errors.NotFound."""

    @abstractmethod
    def statuses(self) -> list[Status]:
        """All ingests, by reference."""

    @abstractmethod
    def abort(self, ref: str) -> None:
        """Throw an ingest away. Raises errors.NotFound, and errors.Unavailable while a writer has it."""


CONTENT: Slot[ContentStore] = Slot("content", "io.containerd.content.v1")
