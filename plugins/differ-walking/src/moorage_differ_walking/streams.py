"""From a compressed stream to plain bytes: decompression, digest and limits in one pass.

Decompression and hashing run in a thread each beside the one that writes files; all let go of the interpreter lock for
the length of a chunk.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import queue
import sys
import threading
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol, cast

from moorage_differ_walking.limits import Limits
from moorage_sdk import errors

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

try:
    from isal import igzip, isal_zlib

    _open_gzip: Any = igzip.IGzipFile
    _GZIP_LEVEL = 2
    # The stub says that isal's error class is an instance.
    _GZIP_ERRORS: tuple[type[Exception], ...] = (
        cast(type[Exception], isal_zlib.error),
        zlib.error,
        gzip.BadGzipFile,
    )
except ImportError:
    # No build of isal for this machine: the standard library does the same, a few times slower.
    _open_gzip = gzip.GzipFile
    _GZIP_LEVEL = 6
    _GZIP_ERRORS = (zlib.error, gzip.BadGzipFile)

CHUNK = 512 << 10
_ZSTD_LEVEL = 3
_AHEAD = 4
"""Chunks that may wait for each thread: enough to keep it busy."""
_WINDOW_LOG = 27
"""Windows of zstd up to 128 MiB; a frame may ask for 2 GiB otherwise."""
_DAMAGED: tuple[type[Exception], ...] = (*_GZIP_ERRORS, zstd.ZstdError, EOFError)


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Counted(io.RawIOBase):
    """A source that counts, begins with bytes that were read already, and has what decompressors ask of a file."""

    def __init__(self, source: Source, head: bytes) -> None:
        self._source = source
        self._head = head
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self._head or self._source.read(len(buffer))
        self._head = data[len(buffer) :]
        taken = data[: len(buffer)]
        buffer[: len(taken)] = taken
        self.count += len(taken)
        return len(taken)


class Plain:
    """The uncompressed bytes of a layer. Iterate once; ``digest`` and ``size`` are right when the iteration ended."""

    def __init__(self, source: Source, compression: str, limits: Limits) -> None:
        """``compression`` is ``gzip``, ``zstd`` or ``sniff`` (look at the first bytes), empty for none."""
        self._limits = limits
        head = _read_head(source)
        self._counted = _Counted(source, head)
        self._file = _decompressor(self._counted, _sniff(head) if compression else "")
        self._hash = hashlib.sha256()
        self._undigested: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)
        self._chunks: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)
        self.size = 0

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        """Raises errors.DataLoss for a damaged stream, errors.ResourceExhausted, OSError."""
        threading.Thread(target=self._decompress, name="decompress", daemon=True).start()
        threading.Thread(target=self._digest, name="digest", daemon=True).start()
        while (item := self._chunks.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def _decompress(self) -> None:
        try:
            while chunk := self._file.read(CHUNK):
                self.size += len(chunk)
                self._check()
                self._undigested.put(chunk)
            self._undigested.put(None)
        except _DAMAGED as error:
            self._undigested.put(errors.DataLoss(f"layer: compressed data damaged: {error}: data loss"))
        except BaseException as error:  # noqa: BLE001  # raised by the reading thread instead
            self._undigested.put(error)

    def _digest(self) -> None:
        while isinstance(item := self._undigested.get(), bytes):
            self._hash.update(item)
            self._chunks.put(item)
        self._chunks.put(item)

    def _check(self) -> None:
        limits = self._limits
        limits.check("size", self.size, limits.size)
        if self.size > limits.ratio_from and self._counted.count:
            limits.check("compression ratio", self.size // self._counted.count, limits.ratio)


def _read_head(source: Source) -> bytes:
    """The first four bytes, or fewer at the end: a pipe may give them one by one."""
    head = b""
    while len(head) < 4 and (more := source.read(4 - len(head))):
        head += more
    return head


def _sniff(head: bytes) -> str:
    """As containerd does, for media types that claim compression are wrong about which (``DetectCompression``)."""
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    skippable = len(head) == 4 and head[1:] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F
    return "zstd" if head == b"\x28\xb5\x2f\xfd" or skippable else ""


def _decompressor(source: _Counted, compression: str) -> BinaryIO:
    buffered = io.BufferedReader(source, CHUNK)
    if compression == "gzip":
        # Typed as what is used of it: the classes of isal and gzip have no common base.
        opened: BinaryIO = _open_gzip(fileobj=buffered, mode="rb")
        return opened
    if compression == "zstd":
        options = {int(zstd.DecompressionParameter.window_log_max): _WINDOW_LOG}
        return zstd.ZstdFile(buffered, "rb", options=options)  # type: ignore[return-value]  # has what is used
    return buffered


@contextlib.contextmanager
def compressed(out: int, compression: str) -> Iterator[Any]:
    """A file that writes to the descriptor ``out`` through ``gzip``, ``zstd`` or nothing."""
    with open(out, "wb", buffering=CHUNK, closefd=False) as raw:
        if compression == "gzip":
            # No name and no time in the header, so that equal layers are equal blobs.
            with _open_gzip(filename="", fileobj=raw, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0) as file:
                yield file
        elif compression == "zstd":
            with zstd.ZstdFile(raw, "wb", level=_ZSTD_LEVEL) as file:
                yield file
        else:
            yield raw
