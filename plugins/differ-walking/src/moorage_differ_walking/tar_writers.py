"""Entries to a tar archive: ustar, with PAX records for what does not fit (POSIX.1-2001, ``pax``)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from moorage_differ_walking import headers
from moorage_differ_walking.headers import BLOCK

_FIELDS = struct.Struct("100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12x")
_XATTR = b"SCHILY.xattr."
_ID_LIMIT, _SIZE_LIMIT = 8**7, 8**11


@dataclass(slots=True)
class Item:
    """What an entry says. ``mtime`` in seconds; ``data`` yields exactly ``size`` bytes."""

    name: bytes
    type: bytes
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    link: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: Mapping[bytes, bytes] = field(default_factory=dict)


class TarWriter:
    """Hands the archive to ``write`` piece by piece."""

    def __init__(self, write: Callable[[bytes | memoryview], object]) -> None:
        self._write = write

    def add(self, item: Item, data: Iterator[bytes] | None = None) -> None:
        """Raises ValueError when ``data`` is not as long as it said."""
        if records := _records(item):
            body = b"".join(_record(key, value) for key, value in sorted(records.items()))
            path, _, base = item.name.rstrip(b"/").rpartition(b"/")
            name = b"/".join(part for part in (path, b"PaxHeaders.0", base) if part)
            self._write(_block(Item(_short(name, 100), headers.PAX, 0o644, size=len(body))))
            self._pad(body)
        self._write(_block(item))
        rest = item.size
        for piece in data or ():
            rest -= len(piece)
            self._write(piece)
        if rest:
            raise ValueError(f"entry {item.name!r}: {item.size - rest} bytes instead of {item.size}")
        self._write(bytes(-item.size % BLOCK))

    def close(self) -> None:
        """Write the end of the archive."""
        self._write(bytes(2 * BLOCK))

    def _pad(self, body: bytes) -> None:
        self._write(body + bytes(-len(body) % BLOCK))


def _records(item: Item) -> dict[bytes, bytes]:
    """What the block has no room for."""
    records = {_XATTR + key: value for key, value in item.xattrs.items()}
    for key, text in ((b"path", item.name), (b"linkpath", item.link)):
        if len(text) > 100 or not text.isascii():
            records[key] = text
    numbers = ((b"uid", item.uid, _ID_LIMIT), (b"gid", item.gid, _ID_LIMIT), (b"size", item.size, _SIZE_LIMIT))
    for key, number, limit in (*numbers, (b"mtime", item.mtime, _SIZE_LIMIT)):
        if not 0 <= number < limit:
            records[key] = b"%d" % number
    return records


def _record(key: bytes, value: bytes) -> bytes:
    """``length key=value\\n``, where the length counts itself."""
    size = len(key) + len(value) + 3
    total = size + len(str(size))
    if len(str(total)) != len(str(size)):
        total = size + len(str(total))
    return b"%d %s=%s\n" % (total, key, value)


def _block(item: Item) -> bytes:
    def octal(number: int, width: int) -> bytes:
        fits = 0 <= number < 8 ** (width - 1)
        return b"%0*o\0" % (width - 1, number if fits else 0)

    fields = [
        _short(item.name, 100), octal(item.mode, 8), octal(item.uid, 8), octal(item.gid, 8), octal(item.size, 12),
        octal(item.mtime, 12), b" " * 8, item.type, _short(item.link, 100), b"ustar\0", b"00", b"", b"",
        octal(item.device[0], 8), octal(item.device[1], 8), b"",
    ]  # fmt: skip
    fields[6] = b"%06o\0 " % sum(_FIELDS.pack(*fields))
    return _FIELDS.pack(*fields)


def _short(text: bytes, limit: int) -> bytes:
    """What an old reader gets to see of a name that stands whole in a record."""
    return text[:limit]
