"""Log URIs. ``urllib.parse`` would do, but brings half a megabyte of network addresses into every monitor."""

from __future__ import annotations

import re
from dataclasses import dataclass

from moorage_sdk import errors

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Uri:
    """A scheme, a path, and pairs of the query in their order; all of them without escapes."""

    scheme: str
    path: str
    query: tuple[tuple[str, str], ...] = ()


def parse(text: str) -> Uri | None:
    """The parts of ``scheme:///path?key=value``; None for a plain path. Raises errors.InvalidArgument for a host."""
    scheme, separator, rest = text.partition("://")
    if not separator or not scheme.replace("-", "").isalnum():
        return None
    path, _, query = rest.partition("?")
    if not path.startswith("/"):
        raise errors.InvalidArgument(f'stdio "{text}": must be scheme:///path, without a host')
    pairs = (each.partition("=") for each in query.split("&") if each)
    return Uri(scheme, unescape(path), tuple((_word(key), _word(value)) for key, _, value in pairs))


def plain(target: str) -> str:
    """The path in a ``fifo`` URI; anything else as it is."""
    uri = parse(target)
    return uri.path if uri is not None and uri.scheme == "fifo" else target


def unescape(text: str) -> str:
    """Percent escapes replaced by the bytes they stand for."""
    data = _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode("utf-8", "surrogateescape"))
    return data.decode("utf-8", "surrogateescape")


def _word(text: str) -> str:
    return unescape(text.replace("+", " "))
