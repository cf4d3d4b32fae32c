"""The slot ``differ``: layers to directories and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import OCI_LAYER_GZIP, Descriptor
from moorage_sdk.mounts import Mount
from moorage_sdk.slots import Slot


class Differ(ABC):
    """Methods block for as long as the layer takes and may be called from many threads."""

    @abstractmethod
    def apply(
        self,
        layer: Descriptor,
        mounts: Sequence[Mount],
        content: ContentStore,
        *,
        sync: bool = False,
        payloads: Mapping[str, bytes] | None = None,
    ) -> Descriptor:
        """Unpack the blob ``layer`` onto ``mounts``; ``sync`` flushes the file system before it returns.

        ``payloads`` are for stream processors by their id, such as keys: each a serialized ``google.protobuf.Any``.

        Returns the descriptor of the *uncompressed* tar: its digest is the layer's diff id. Bytes behind the end of the
        archive count into it. Raises errors.Unimplemented for a media type it does not know, errors.NotFound for the
        blob, errors.DataLoss for a damaged one, errors.InvalidArgument for a layer that breaks the rules, and
        errors.ResourceExhausted when the disk or a limit is reached. What was unpacked by then stays: the caller drops
        the snapshot.
        """

    @abstractmethod
    def compare(
        self,
        lower: Sequence[Mount],
        upper: Sequence[Mount],
        content: ContentStore,
        *,
        media_type: str = OCI_LAYER_GZIP,
        ref: str = "",
        labels: Mapping[str, str] | None = None,
        source_date_epoch: int | None = None,
    ) -> Descriptor:
        """Write what turns ``lower`` into ``upper`` as a layer into ``content``, with labels.UNCOMPRESSED set.

        ``source_date_epoch`` is in seconds. Raises errors.Unimplemented for a media type it cannot write.
        """


class Application(ABC):
    """A layer being unpacked while it arrives. Used by one thread at a time."""

    @abstractmethod
    def write(self, data: bytes | memoryview) -> None:
        """The next bytes of the compressed layer. Blocks while the unpacker is behind. Raises as Differ.apply."""

    @abstractmethod
    def finish(self) -> Descriptor:
        """All bytes are there: wait for the unpacker and return what Differ.apply returns."""

    @abstractmethod
    def close(self) -> None:
        """Stop the unpacker if ``finish`` was not called. Calling it again does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


@runtime_checkable
class StreamApplier(Protocol):
    """What a differ that unpacks during the download also can."""

    def open(self, media_type: str, mounts: Sequence[Mount], *, sync: bool = False) -> Application:
        """Start to unpack a layer onto ``mounts``. Raises errors.Unimplemented for a media type it does not know."""


DIFFER: Slot[Differ] = Slot("differ", "io.containerd.differ.v1")
