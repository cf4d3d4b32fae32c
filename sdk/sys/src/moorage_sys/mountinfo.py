"""The mounts of a mount namespace, from ``/proc/<pid>/mountinfo`` (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

_ESCAPE = re.compile(rb"\\([0-7]{3})")
_ESCAPED = re.compile(rb"[ \t\n\\]")
"""What is written as an octal number in a path (``show_mountinfo`` in fs/proc_namespace.c)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One mount. ``root`` is the directory of the file system that shows at ``mount_point``."""

    id: int
    parent: int
    device: str
    root: str
    mount_point: str
    options: tuple[str, ...]
    optional: tuple[str, ...]
    type: str
    source: str
    super_options: tuple[str, ...]


def parse(line: bytes) -> Entry:
    """One line. Raises ValueError for a line that is none of mountinfo."""
    fields, separator, rest = line.rstrip(b"\n").partition(b" - ")
    first, last = fields.split(b" "), rest.split(b" ")
    if not separator or len(first) < 6 or len(last) < 3:
        raise ValueError(f"mountinfo line {line!r}: malformed")
    return Entry(
        id=int(first[0]),
        parent=int(first[1]),
        device=first[2].decode(),
        root=_plain(first[3]),
        mount_point=_plain(first[4]),
        options=tuple(_plain(first[5]).split(",")),
        optional=tuple(os.fsdecode(tag) for tag in first[6:]),
        type=_plain(last[0]),
        source=_plain(last[1]),
        super_options=tuple(_plain(last[2]).split(",")),
    )


def read(pid: int | str = "self") -> list[Entry]:
    """All mounts that a process sees, in the order they were made. Raises OSError."""
    with open(f"/proc/{pid}/mountinfo", "rb") as file:
        return [parse(line) for line in file]


def beneath(path: str, entries: Iterable[Entry] | None = None) -> list[Entry]:
    """Mounts at ``path`` and under it, in mountinfo's order; ``path`` is absolute and free of symbolic links."""
    prefix = path.rstrip("/") + "/"
    found = _mentioning(path) if entries is None else entries
    return [entry for entry in found if entry.mount_point == path or entry.mount_point.startswith(prefix)]


def _mentioning(path: str) -> Iterable[Entry]:
    """Entries that have ``path`` somewhere, and few others. Raises OSError.

    A node with a thousand containers has some thousand mounts, and to take all of them to pieces for the sake of one
    directory takes about 5 ms (reckoned from 27 of them).
    """
    wanted = _ESCAPED.sub(lambda match: b"\\%03o" % match[0][0], os.fsencode(path))
    with open("/proc/self/mountinfo", "rb") as file:
        text = file.read()
    return [parse(line) for line in text.split(b"\n") if wanted in line] if wanted in text else []


def holding(path: str) -> Entry:
    """The mount that ``path`` lies on. Raises OSError when the path does not exist, LookupError without a mount."""
    resolved = os.path.realpath(path, strict=True)
    best: Entry | None = None
    for entry in read():
        point = entry.mount_point.rstrip("/")
        inside = resolved == entry.mount_point or resolved.startswith(point + "/")
        if inside and (best is None or len(entry.mount_point) >= len(best.mount_point)):
            best = entry
    if best is None:
        raise LookupError(f'mount of "{path}": not found')
    return best


def _plain(field: bytes) -> str:
    return os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), field))
