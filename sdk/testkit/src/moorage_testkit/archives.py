"""Tar archives byte by byte, right ones and wrong ones. For hostile layers, which no tar library agrees to write.

::

    layer = Tar().folder("etc").file("etc/passwd", b"x").symlink("link", "/etc").end()
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Self

USTAR = b"ustar\x0000"
GNU = b"ustar  \0"
V7 = bytes(8)
_FIELDS = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12s")

Text = str | bytes


def encode(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def octal(number: int | bytes, width: int) -> bytes:
    """A number as a header field; bytes are taken as they are."""
    return number if isinstance(number, bytes) else b"%0*o\0" % (width - 1, number)


def base256(number: int, width: int) -> bytes:
    """A number as GNU tar writes those that octal digits have no room for."""
    raw = bytearray((number % (1 << (8 * width))).to_bytes(width, "big"))
    raw[0] |= 0x80
    return bytes(raw)


def pax_record(key: Text, value: Text) -> bytes:
    """``length key=value\\n``, where the length counts itself."""
    body = b" " + encode(key) + b"=" + encode(value) + b"\n"
    size = len(body)
    while size != len(body) + len(str(size)):
        size = len(body) + len(str(size))
    return str(size).encode() + body


class Tar:
    """Methods append and return the archive, so that calls can be chained. ``data`` is what there is so far."""

    def __init__(self) -> None:
        self.data = bytearray()

    def header(
        self,
        name: Text = "",
        type: bytes = b"0",
        *,
        size: int | bytes = 0,
        mode: int | bytes = 0o644,
        uid: int | bytes = 0,
        gid: int | bytes = 0,
        mtime: int | bytes = 0,
        link: Text = "",
        magic: bytes = USTAR,
        device: tuple[int, int] = (0, 0),
        prefix: Text = "",
        checksum: int | None = None,
        tail: bytes = b"",
        signed: bool = False,
    ) -> Self:
        """A block of any content; the checksum is right unless given."""
        fields = [
            encode(name), octal(mode, 8), octal(uid, 8), octal(gid, 8), octal(size, 12), octal(mtime, 12), b" " * 8,
            type, encode(link), magic, b"", b"", octal(device[0], 8), octal(device[1], 8), encode(prefix), tail,
        ]  # fmt: skip
        block = _FIELDS.pack(*fields)
        right = sum(byte - 256 if signed and byte > 127 else byte for byte in block)
        fields[6] = b"%06o\0 " % (right if checksum is None else checksum)
        self.data += _FIELDS.pack(*fields)
        return self

    def body(self, content: bytes) -> Self:
        """Bytes, filled up to whole blocks."""
        self.data += content + bytes(-len(content) % 512)
        return self

    def raw(self, content: bytes) -> Self:
        self.data += content
        return self

    def file(self, name: Text, content: bytes = b"", mode: int = 0o644, **fields: object) -> Self:
        given = {"size": len(content), **fields}
        return self.header(name, b"0", mode=mode, **given).body(content)  # type: ignore[arg-type]  # passed on

    def folder(self, name: Text, mode: int = 0o755, **fields: object) -> Self:
        return self.header(name, b"5", mode=mode, **fields)  # type: ignore[arg-type]  # passed on

    def symlink(self, name: Text, target: Text, **fields: object) -> Self:
        return self.header(name, b"2", mode=0o777, link=target, **fields)  # type: ignore[arg-type]  # passed on

    def link(self, name: Text, target: Text, **fields: object) -> Self:
        return self.header(name, b"1", link=target, **fields)  # type: ignore[arg-type]  # passed on

    def pax(self, records: Mapping[Text, Text] | bytes, type: bytes = b"x") -> Self:
        """Records for the next header, or bytes that pretend to be some."""
        if not isinstance(records, bytes):
            records = b"".join(pax_record(key, value) for key, value in records.items())
        return self.header("PaxHeaders.0/x", type, size=len(records)).body(records)

    def gnu_long(self, text: Text, type: bytes = b"L") -> Self:
        content = encode(text) + b"\0"
        return self.header("././@LongLink", type, size=len(content), magic=GNU).body(content)

    def end(self) -> bytes:
        """Two blocks of zeros, and the whole archive."""
        return bytes(self.data + bytes(1024))
