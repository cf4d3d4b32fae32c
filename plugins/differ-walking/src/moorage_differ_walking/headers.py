"""One header block of a tar archive: V7, ustar, GNU and star, as Go's ``archive/tar`` reads them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from moorage_sdk import errors

BLOCK = 512
ZERO = bytes(BLOCK)

REGULAR, REGULAR_OLD, LINK, SYMLINK, CHAR, DEVICE, DIRECTORY, FIFO = b"0", b"\0", b"1", b"2", b"3", b"4", b"5", b"6"
PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK, GNU_SPARSE = b"x", b"g", b"L", b"K", b"S"
WITHOUT_DATA = frozenset((LINK, SYMLINK, CHAR, DEVICE, DIRECTORY, FIFO))
"""Types whose size says nothing about the bytes that follow."""

_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x")
_MAX = 1 << 63


@dataclass(slots=True)
class Header:
    """Fields of a block. ``mtime`` in seconds; ``devices`` are major and minor number, unparsed."""

    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    type: bytes
    link: bytes
    gnu: bool
    devices: tuple[bytes, bytes]


def parse(block: bytes) -> Header:
    """Raises errors.InvalidArgument for a wrong checksum and for what is no number."""
    (name, mode, uid, gid, size, mtime, checksum, kind, link, magic, version, _, _, major, minor, prefix) = (
        _FIELDS.unpack(block)
    )
    _verify(block, checksum)
    gnu = magic == b"ustar " and version == b" \0"
    name = text(name)
    if magic == b"ustar\0":
        # star keeps two times in the last 24 bytes of the prefix and says so at the very end of the block.
        before = text(prefix[:131] if block[508:] == b"tar\0" else prefix)
        name = before + b"/" + name if before else name
    return Header(
        name, number(mode), number(uid), number(gid), number(size), number(mtime), kind, text(link), gnu, (major, minor)
    )


def text(field: bytes) -> bytes:
    """A field up to its first NUL."""
    return field.partition(b"\0")[0]


def number(field: bytes) -> int:
    """An octal number between blanks and NULs, or a big-endian one where the first bit is set (GNU's base 256).

    Raises errors.InvalidArgument.
    """
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        if field[0] & 0x40:
            value -= 1 << (8 * len(field) - 1)
        if not -_MAX <= value < _MAX:
            raise errors.InvalidArgument(f"layer: number {field.hex()} in a header: out of range: invalid argument")
        return value
    digits = field.strip(b" \0").partition(b"\0")[0]
    if not digits:
        return 0
    try:
        # int alone would take signs, blanks and underscores.
        if digits.isdigit():
            return int(digits, 8)
    except ValueError:
        pass
    raise errors.InvalidArgument(f"layer: number {digits!r} in a header: not octal: invalid argument")


def _verify(block: bytes, field: bytes) -> None:
    # The checksum is made with blanks in its own place.
    unsigned = sum(block) - sum(field) + 8 * 32
    digits = text(field.strip(b" \0"))
    try:
        wanted = int(digits, 8) if digits.isdigit() else -1
    except ValueError:
        wanted = -1
    if wanted == unsigned:
        return
    # Some old writers added the bytes as signed ones.
    high = sum(1 for byte in block[:148] + block[156:] if byte >= 128)
    if wanted != unsigned - 256 * high:
        raise errors.InvalidArgument("layer: header with a wrong checksum: not a tar archive: invalid argument")
