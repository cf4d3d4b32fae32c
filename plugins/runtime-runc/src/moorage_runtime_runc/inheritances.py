"""What a monitor gets from its predecessor by inheritance: descriptors, and a list of them in a memory file.

The daemon passes on what it keeps when a monitor has died, and a monitor that gives way to another version of itself
passes on what it has. Either way the successor finds the same list.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moorage_sdk import errors


@dataclass(frozen=True)
class Inheritance:
    """``held`` are descriptors by the name of their process and their role there (``escrows``).

    The rest only comes from a monitor that gives way: sockets that listen by their paths, its lock on the state
    directory, the limit of open files that it was itself started with, and how often it gave way before.
    """

    held: dict[str, dict[str, int]] = field(default_factory=dict)
    listeners: dict[str, int] = field(default_factory=dict)
    lock: int = -1
    files: tuple[int, int] = (0, 0)
    upgrades: int = 0

    @property
    def descriptors(self) -> list[int]:
        """All of them."""
        locks = [self.lock] if self.lock >= 0 else []
        return [*(fd for held in self.held.values() for fd in held.values()), *self.listeners.values(), *locks]

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
    fd = os.memfd_create("inheritance", os.MFD_CLOEXEC)
    with open(fd, "w", encoding="utf-8", closefd=False) as file:
        json.dump(vars(inheritance), file)
    return fd


def read(fd: int) -> Inheritance:
    """What a predecessor wrote; closes ``fd``. Raises errors.DataLoss."""
    try:
        os.lseek(fd, 0, os.SEEK_SET)
        with open(fd, encoding="utf-8") as file:
            data: dict[str, Any] = json.load(file)
        files = tuple(data.pop("files"))
        return Inheritance(**data, files=(files[0], files[1]))
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise errors.DataLoss(f"inheritance: {error}") from error
