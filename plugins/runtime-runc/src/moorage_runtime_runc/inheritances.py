"""What a monitor gets from its predecessor by inheritance: descriptors, and a list of them in a memory file.

The daemon passes on what it keeps when a monitor has died, and a monitor that gives way to another version of itself
passes on what it has. Either way the successor finds the same list.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moorage_sdk import errors
from moorage_ttrpc.methods import Metadata
from moorage_ttrpc.servers import Handover


@dataclass(frozen=True)
class Inheritance:
    """``held`` are descriptors by the name of their process and their role there (``escrows``).

    ``reaped`` are the names of processes that are the daemon's children: it tells by the escrow how those end.

    The rest only comes from a monitor that gives way: what its server had open, the socket of its escrow and its lock
    on the state directory (-1 for none), the limit of open files that it was itself started with, and how often it
    gave way before.
    """

    held: dict[str, dict[str, int]] = field(default_factory=dict)
    reaped: tuple[str, ...] = ()
    server: Handover = field(default_factory=Handover)
    escrow: int = -1
    lock: int = -1
    files: tuple[int, int] | None = None
    upgrades: int = 0

    @property
    def descriptors(self) -> list[int]:
        """All of them."""
        kept = [fd for held in self.held.values() for fd in held.values()]
        served = [fd for _, fd, _ in self.server.listeners] + [fd for fd, _, _ in self.server.connections]
        return [*kept, *served, *(fd for fd in (self.escrow, self.lock) if fd >= 0)]

    def take(self, name: str) -> dict[str, int]:
        """The descriptors of one process by role; whoever takes them owns them."""
        return self.held.pop(name, {})

    def close_rest(self) -> int:
        """Close what is held of processes that nobody has asked for; how many descriptors that were."""
        rest = [fd for held in self.held.values() for fd in held.values()]
        self.held.clear()
        for fd in rest:
            os.close(fd)
        return len(rest)


def grouped(held: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Descriptors by key, by process and role instead."""
    groups: dict[str, dict[str, int]] = {}
    for key, fd in held.items():
        name, role = key[: key.rindex("/") + 1], key[key.rindex("/") + 1 :]
        groups.setdefault(name, {})[role] = fd
    return groups


def write(inheritance: Inheritance) -> int:
    """A memory file for the successor, close-on-exec like everything else until it is passed on. Raises OSError."""
    server = inheritance.server
    data = vars(inheritance) | {
        "listeners": [(str(path), fd, metadata) for path, fd, metadata in server.listeners],
        "connections": [(fd, metadata, early.hex()) for fd, metadata, early in server.connections],
    }
    del data["server"]
    fd = os.memfd_create("inheritance", os.MFD_CLOEXEC)
    with open(fd, "w", encoding="utf-8", closefd=False) as file:
        json.dump(data, file)
    return fd


def read(fd: int) -> Inheritance:
    """What a predecessor wrote; closes ``fd``. Raises errors.DataLoss."""
    try:
        os.lseek(fd, 0, os.SEEK_SET)
        with open(fd, encoding="utf-8") as file:
            data: dict[str, Any] = json.load(file)
        files = data.pop("files")
        listeners = tuple((Path(path), fd, _pairs(pairs)) for path, fd, pairs in data.pop("listeners"))
        connections = tuple((fd, _pairs(pairs), bytes.fromhex(early)) for fd, pairs, early in data.pop("connections"))
        data["reaped"] = tuple(data["reaped"])
        limit = (files[0], files[1]) if files else None
        return Inheritance(**data, server=Handover(listeners, connections), files=limit)
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise errors.DataLoss(f"inheritance: {error}") from error


def _pairs(metadata: list[list[str]]) -> Metadata:
    return tuple((key, value) for key, value in metadata)
