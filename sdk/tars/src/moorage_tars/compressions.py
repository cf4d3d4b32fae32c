"""Compression around an archive or a layer, told by its first bytes and not by its name.

The magic numbers are those of ``pkg/archive/compression`` in containerd v2.3.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol, cast

from moorage_sdk import errors

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

try:
    from isal import igzip, isal_zlib

    _open_gzip: Any = igzip.IGzipFile
    _LEVEL = 2
    # The stub says that isal's error class is an instance.
    _GZIP_ERRORS: tuple[type[Exception], ...] = (cast(type[Exception], isal_zlib.error), zlib.error, gzip.BadGzipFile)
except ImportError:
    # No build of isal for this machine: the standard library does the same, a few times slower.
    _open_gzip = gzip.GzipFile
    _LEVEL = 6
    _GZIP_ERRORS = (zlib.error, gzip.BadGzipFile)

GZIP, ZSTD = "gzip", "zstd"

HEAD = 4
"""Bytes that are enough to know."""

_BUFFER = 256 << 10
_WINDOW_LOG = 27
"""Windows of zstd up to 128 MiB; a frame may ask for 2 GiB otherwise."""
_DAMAGED: tuple[type[Exception], ...] = (*_GZIP_ERRORS, zstd.ZstdError, EOFError)


class Source(Protocol):
    def read(self, size: int, /) -> bytes:
        """Some bytes, up to ``size``; b"" at the end."""


class Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


def detect(head: bytes) -> str:
    """``gzip``, ``zstd``, or ``""`` for neither."""
    if head.startswith(b"\x1f\x8b\x08"):
        return GZIP
    skippable = len(head) >= HEAD and head[1:HEAD] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F
    return ZSTD if head.startswith(b"\x28\xb5\x2f\xfd") or skippable else ""


class Plain:
    """What is under the compression, if there is any; reads all that is asked for, less only at the end."""

    def __init__(self, source: Source, sniff: bool = True) -> None:
        """Reads the first bytes at once. Without ``sniff`` the source is taken as it is."""
        raw = _Raw(source)
        buffered = io.BufferedReader(raw, _BUFFER)
        head = b"" if not sniff else _read_head(source)
        raw.head = head
        self.compression = detect(head)
        self._file: BinaryIO = buffered
        if self.compression == GZIP:
            self._file = _open_gzip(fileobj=buffered, mode="rb")
        elif self.compression == ZSTD:
            options = {int(zstd.DecompressionParameter.window_log_max): _WINDOW_LOG}
            self._file = zstd.ZstdFile(buffered, "rb", options=options)  # type: ignore[assignment]  # has what is used

    def read(self, size: int, /) -> bytes:
        """Raises errors.DataLoss for damaged compression, and whatever the source does."""
        pieces: list[bytes] = []
        try:
            while size and (data := self._file.read(size)):
                pieces.append(data)
                size -= len(data)
        except _DAMAGED as error:
            raise errors.DataLoss(f"archive: compressed data damaged: {error}: data loss") from None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@contextmanager
def gzipped(sink: Sink) -> Iterator[Sink]:
    """A sink that compresses into another. No name and no time in the header, so that equal bytes give equal blobs."""
    with _open_gzip(filename="", fileobj=_Written(sink), mode="wb", compresslevel=_LEVEL, mtime=0) as file:
        yield file


def _read_head(source: Source) -> bytes:
    """A pipe may give them one by one."""
    head = b""
    while len(head) < HEAD and (more := source.read(HEAD - len(head))):
        head += more
    return head


class _Raw(io.RawIOBase):
    """A source as decompressors want it, with the bytes before it that were read already."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.head = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self.head or self._source.read(len(buffer))
        taken = data[: len(buffer)]
        self.head = data[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


class _Written(io.RawIOBase):
    """A sink as compressors want it."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._sink.write(bytes(data))
        return len(data)
