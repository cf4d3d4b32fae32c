"""A differ that unpacks trusted layers with the standard library, whole or as they arrive. It writes none."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from moorage_sdk import errors
from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import OCI_LAYER, OCI_LAYER_GZIP, Descriptor, compression
from moorage_sdk.differs import Application, Differ
from moorage_sdk.mounts import Mount
from moorage_testkit.fakes import layers


class TarApplication(Application):
    """Collects the layer, then unpacks it."""

    def __init__(self, differ: TarDiffer, media_type: str, mounts: Sequence[Mount]) -> None:
        self._differ, self._media_type, self._mounts = differ, media_type, mounts
        self._data = bytearray()
        self.closed = False

    def write(self, data: bytes | memoryview) -> None:
        self._data += data
        self._differ.written(bytes(data))

    def finish(self) -> Descriptor:
        self._differ.streamed += 1
        return self._differ.unpack(self._media_type, bytes(self._data), self._mounts)

    def close(self) -> None:
        self.closed = True


class TarDiffer(Differ):
    """``applied`` and ``streamed`` count layers; ``applications`` are all that were opened."""

    def __init__(self) -> None:
        self.applied = 0
        self.streamed = 0
        self.applications: list[TarApplication] = []

    def open(self, media_type: str, mounts: Sequence[Mount], *, sync: bool = False) -> Application:
        application = TarApplication(self, media_type, mounts)
        self.applications.append(application)
        return application

    def written(self, data: bytes) -> None:
        """Called for all bytes that are streamed; tests override it to fail or to wait."""

    def apply(
        self,
        layer: Descriptor,
        mounts: Sequence[Mount],
        content: ContentStore,
        *,
        sync: bool = False,
        payloads: Mapping[str, bytes] | None = None,
    ) -> Descriptor:
        self.applied += 1
        with content.reader(layer.digest) as reader:
            return self.unpack(layer.media_type, reader.read_at(0, reader.size), mounts)

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
        raise errors.Unimplemented("compare: not offered by the fake")

    def unpack(self, media_type: str, data: bytes, mounts: Sequence[Mount]) -> Descriptor:
        """Unpack bytes onto the first mount; an overlay's upper directory keeps its whiteouts."""
        tar = _decompressed(media_type, data)
        [mount] = mounts
        upper = next((option[9:] for option in mount.options if option.startswith("upperdir=")), "")
        try:
            with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
                layers.extract(archive, archive, Path(upper or mount.source), keep_whiteouts=bool(upper))
        except tarfile.TarError as error:
            raise errors.InvalidArgument(f"layer: not a tar archive: {error}: invalid argument") from error
        return Descriptor(OCI_LAYER, f"sha256:{hashlib.sha256(tar).hexdigest()}", len(tar))


def _decompressed(media_type: str, data: bytes) -> bytes:
    kind = compression(media_type)
    if kind not in ("", "gzip"):
        raise errors.Unimplemented(f'media type "{media_type}": unimplemented')
    try:
        return zlib.decompress(data, 31) if kind else data
    except zlib.error as error:
        raise errors.DataLoss(f"layer: damaged: {error}: data loss") from error
