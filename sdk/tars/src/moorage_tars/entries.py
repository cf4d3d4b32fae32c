"""Reading a tar stream entry by entry.

Not the standard library's ``tarfile``: that reads an extended header of any announced size into memory. Nothing is ever
extracted here. Formats: POSIX ustar and pax, and GNU long names (tar(5)). Sparse files are refused: a few bytes of a
header would announce terabytes of zeros.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from moorage_sdk import errors
from moorage_tars.compressions import Source

BLOCK = 512
MAX_EXTENSION = 1 << 20
"""Bytes of an extended header or long name; real ones have a few hundred."""

PIECE = 1 << 20

REGULAR, LINK, SYMLINK, DIRECTORY = "0", "1", "2", "5"
_SPARSE = "S"
_WITHOUT_DATA = "123456"

_OCTAL = re.compile(rb"[0-7]*")
_LENGTH = re.compile(rb"[0-9]{1,10}")
_SIZE = re.compile(r"[0-9]{1,19}")


@dataclass
class Entry:
    """One entry. ``pieces`` may be read once, before the next entry is asked for; what is left over is skipped."""

    name: str
    kind: str
    size: int
    target: str
    _stream: Source
    _left: int = -1

    def __post_init__(self) -> None:
        self._left = self.size

    def pieces(self) -> Iterator[bytes]:
        """Raises errors.DataLoss when the archive ends before the entry does."""
        while self._left:
            data = _exactly(self._stream, min(PIECE, self._left))
            self._left -= len(data)
            yield data

    def skip(self) -> None:
        for _ in self.pieces():
            continue
        _exactly(self._stream, -self.size % BLOCK)


def entries(stream: Source) -> Iterator[Entry]:
    """All entries up to the end mark. Raises errors.InvalidArgument for no tar, errors.DataLoss for a cut one."""
    extended: dict[str, str] = {}
    while block := _header(stream):
        kind = chr(block[156]) if block[156] else REGULAR
        size = _number(block[124:136])
        if kind in "xgLK":
            extended.update(_extension(kind, _body(stream, size)))
            continue
        if kind == _SPARSE or any(key.startswith("GNU.sparse.") for key in extended):
            raise errors.InvalidArgument("archive: sparse file: not supported: invalid argument")
        entry = Entry(
            name=extended.get("path") or _name(block),
            kind=REGULAR if kind == "7" else kind,
            size=0 if kind in _WITHOUT_DATA else _size(extended.get("size"), size),
            target=extended.get("linkpath") or _text(block[157:257]),
            _stream=stream,
        )
        extended = {}
        yield entry
        entry.skip()


def _header(stream: Source) -> bytes:
    """The next header, b"" at the end: two blocks of zeros, or the end of the file where writers were lazy."""
    block = stream.read(BLOCK)
    if not block or not block.strip(b"\0"):
        return b""
    if len(block) < BLOCK:
        raise errors.DataLoss("archive: cut off in a header: data loss")
    unsigned = sum(block[:148]) + 8 * 32 + sum(block[156:])
    if _number(block[148:156]) != unsigned:
        raise errors.InvalidArgument("archive: not a tar archive, or a damaged one: invalid argument")
    return block


def _body(stream: Source, size: int) -> bytes:
    if size > MAX_EXTENSION:
        raise errors.InvalidArgument(f"archive: extended header of {size} bytes: invalid argument")
    data = _exactly(stream, size)
    _exactly(stream, -size % BLOCK)
    return data


def _extension(kind: str, data: bytes) -> dict[str, str]:
    if kind in "LK":
        return {"path" if kind == "L" else "linkpath": _text(data)}
    return {} if kind == "g" else _records(data)


def _records(data: bytes) -> dict[str, str]:
    """``length key=value\\n``, the length in decimal and counting itself (pax)."""
    found: dict[str, str] = {}
    while data:
        length, _, rest = data.partition(b" ")
        if not _LENGTH.fullmatch(length) or not 0 < int(length) <= len(data):
            raise errors.InvalidArgument("archive: malformed extended header: invalid argument")
        key, _, value = rest[: int(length) - len(length) - 1].rstrip(b"\n").partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        data = data[int(length) :]
    return found


def _name(block: bytes) -> str:
    name, prefix = _text(block[:100]), _text(block[345:500])
    return f"{prefix}/{name}" if prefix and block[257:263] == b"ustar\0" else name


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(field: bytes) -> int:
    """Octal text, or the base-256 form for what does not fit."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.strip(b" \0")
    if not _OCTAL.fullmatch(digits):  # int alone would take signs and underscores
        raise errors.InvalidArgument("archive: not a tar archive, or a damaged one: invalid argument")
    return int(digits or b"0", 8)


def _size(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    if not _SIZE.fullmatch(text):
        raise errors.InvalidArgument("archive: malformed size in an extended header: invalid argument")
    return int(text)


def _exactly(stream: Source, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise errors.DataLoss("archive: cut off: data loss")
    return data
