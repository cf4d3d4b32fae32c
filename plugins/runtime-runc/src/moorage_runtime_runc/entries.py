"""The format in which the kubelet, crictl and log collectors read a container's log.

One entry a line: time (RFC 3339, nine digits, UTC), ``stdout`` or ``stderr``, ``F`` for a whole line or ``P`` for a
part of one, and the text. Lines are cut as internal/cri/io/logger.go of containerd v2.3 cuts them.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Protocol

from moorage_runtime_runc.uris import Uri
from moorage_sdk import errors

MAX_LINE = 16 << 10
"""``max_container_log_line_size`` of containerd's CRI plugin."""

LONGEST_LINE = 1 << 20
"""Where a line is cut that may have any length: it is kept in memory until it ends."""


class Format(Protocol):
    """How output is written down."""

    def encode(self, name: str, data: bytes, now: int, *, ended: bool) -> tuple[bytes, int]:
        """What is to be written of ``data`` that came from ``name`` at ``now`` (nanoseconds since 1970), and how many
        bytes of it that was; the others wait for more, unless it has ``ended``.

        The same piece again, as one that has ended, gives the same text.
        """


class Raw:
    """As it came."""

    def encode(self, name: str, data: bytes, now: int, *, ended: bool) -> tuple[bytes, int]:
        return data, len(data)


@dataclass(frozen=True, slots=True)
class Entries:
    """``max_line`` is in bytes, -1 for as good as no limit."""

    max_line: int = MAX_LINE

    def encode(self, name: str, data: bytes, now: int, *, ended: bool) -> tuple[bytes, int]:
        limit = self.max_line if self.max_line > 0 else LONGEST_LINE
        start = f"{_time(now)} {name} ".encode()
        used = data.rfind(b"\n") + 1
        text = _lines(data[:used], start, limit) if used else b""
        rest = data[used:]
        # A return at the end may be that of a line's end to come, which is not counted.
        while len(rest) - rest.endswith(b"\r") > limit:
            text += start + b"P " + rest[:limit] + b"\n"
            used, rest = used + limit, rest[limit:]
        if ended and rest:
            text += start + b"P " + rest + b"\n"
            used += len(rest)
        return text, used


def _lines(data: bytes, start: bytes, limit: int) -> bytes:
    """Entries for lines that are whole. Most have no line that is too long, and then there is no loop over them."""
    data = data.replace(b"\r\n", b"\n")
    lines = data[:-1].split(b"\n") if len(data) > limit else []
    if lines and max(map(len, lines)) > limit:
        return b"".join(_line(line, start, limit) for line in lines)
    full = start + b"F "
    return full + data[:-1].replace(b"\n", b"\n" + full) + b"\n"


def _line(line: bytes, start: bytes, limit: int) -> bytes:
    text = b""
    while len(line) > limit:
        text += start + b"P " + line[:limit] + b"\n"
        line = line[limit:]
    return text + start + b"F " + line + b"\n"


def _time(now: int) -> str:
    seconds, nanoseconds = divmod(now, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"


def of(uri: Uri | None) -> Format:
    """What a log URI asks for: entries for ``cri-log``, whose query may have ``max_line``.

    Raises errors.InvalidArgument.
    """
    if uri is None or uri.scheme != "cri-log":
        return Raw()
    values = dict(uri.query)
    text = values.pop("max_line", str(MAX_LINE))
    if values or not re.fullmatch("-1|[1-9][0-9]{0,8}", text):
        query = "&".join("=".join(pair) for pair in uri.query)
        raise errors.InvalidArgument(f'log "{uri.path}": query "{query}": max_line=NUMBER or nothing: invalid argument')
    return Entries(int(text))
