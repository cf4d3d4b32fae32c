"""What stands beside a header: PAX records and the maps of sparse files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from moorage_differ_walking import headers
from moorage_sdk import errors

Extent = tuple[int, int]
"""Offset and length of a piece of data in a sparse file."""

_INTEGER = re.compile(rb"-?[0-9]{1,19}")
_TIME = re.compile(rb"(-?[0-9]{1,19})(?:\.([0-9]*))?")
_LENGTH = re.compile(rb"([0-9]{1,10}) ")
_WITHOUT_NUL = frozenset((b"path", b"linkpath", b"uname", b"gname", b"GNU.sparse.name"))
_SPARSE_PAIR = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
MAP = b"GNU.sparse.map"


def records(data: bytes) -> dict[bytes, bytes]:
    """Keys and values of a PAX header; later ones win. Raises errors.InvalidArgument.

    The pairs of sparse format 0.0, the only keys that may repeat with a meaning, become the map of format 0.1.
    """
    found: dict[bytes, bytes] = {}
    pairs: list[bytes] = []
    position = 0
    while position < len(data):
        match = _LENGTH.match(data, position)
        end = position + int(match[1]) if match else 0
        key, equals, value = data[match.end() : end - 1].partition(b"=") if match else (b"", b"", b"")
        # A length that ends before its own key would never come to an end.
        if not equals or not key or not match or end <= match.end() or end > len(data) or data[end - 1] != 0x0A:
            raise _malformed("PAX record")
        if b"\0" in key or (key in _WITHOUT_NUL and b"\0" in value):
            raise _malformed("PAX record with a NUL")
        if key in _SPARSE_PAIR:
            if key != _SPARSE_PAIR[len(pairs) % 2] or b"," in value:
                raise _malformed("sparse map")
            pairs.append(value)
        else:
            found[key] = value
        position = end
    if pairs:
        found[MAP] = b",".join(pairs)
    return found


def integer(value: bytes) -> int:
    """Raises errors.InvalidArgument."""
    if not _INTEGER.fullmatch(value):
        raise _malformed(f"PAX number {value[:40]!r}")
    return int(value)


def time(value: bytes) -> int:
    """Seconds with decimals as nanoseconds. Raises errors.InvalidArgument, also for NaN and infinity."""
    match = _TIME.fullmatch(value)
    if not match:
        raise _malformed(f"PAX time {value[:40]!r}")
    fraction = int((match[2] or b"").ljust(9, b"0")[:9])
    return int(match[1]) * 10**9 + (-fraction if value.startswith(b"-") else fraction)


def sparse_list(text: bytes) -> list[Extent]:
    """The map of format 0.1: ``offset,length,offset,length``. Raises errors.InvalidArgument."""
    numbers = [integer(part) for part in text.split(b",")] if text else []
    if len(numbers) % 2:
        raise _malformed("sparse map")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def sparse_blocks(next_block: Callable[[], bytes]) -> list[Extent]:
    """The map of format 1.0: decimal lines in front of the data, in whole blocks. Raises errors.InvalidArgument."""
    text = b""

    def line() -> bytes:
        nonlocal text
        while b"\n" not in text:
            if len(text) > 20:
                raise _malformed("sparse map")
            text += next_block()
        first, _, text = text.partition(b"\n")
        return first

    count = integer(line())
    if count < 0:
        raise _malformed("sparse map")
    return [(integer(line()), integer(line())) for _ in range(count)]


def sparse_old(block: bytes, next_block: Callable[[], bytes]) -> tuple[list[Extent], int]:
    """The map of old GNU headers and the size of the file. Raises errors.InvalidArgument."""
    extents, area, more = [], block[386:482], block[482]
    size = headers.number(block[483:495])
    while True:
        for start in range(0, len(area) - 23, 24):
            if not area[start] or not area[start + 12]:
                break
            offset, length = headers.number(area[start : start + 12]), headers.number(area[start + 12 : start + 24])
            extents.append((offset, length))
        if not more:
            return extents, size
        block = next_block()
        area, more = block[:504], block[504]


def check_sparse(extents: Sequence[Extent], size: int, stored: int) -> None:
    """Raises errors.InvalidArgument unless the pieces are in order, within ``size``, and ``stored`` bytes in all."""
    end = 0
    for offset, length in extents:
        if length < 0 or offset < end or offset + length > size:
            raise _malformed("sparse map")
        end = offset + length
    if sum(length for _, length in extents) != stored:
        raise _malformed("sparse map of another length than the data")


def sparse_version(found: Mapping[bytes, bytes]) -> str:
    """``1.0``, ``0.1``, or an empty string for no sparse file and for versions nobody knows, as in Go."""
    version = (found.get(b"GNU.sparse.major", b""), found.get(b"GNU.sparse.minor", b""))
    if version == (b"1", b"0"):
        return "1.0"
    if version in ((b"0", b"0"), (b"0", b"1")) or (version == (b"", b"") and found.get(MAP)):
        return "0.1"
    return ""


def _malformed(what: str) -> errors.InvalidArgument:
    return errors.InvalidArgument(f"layer: {what}: malformed: invalid argument")
