"""The names under which the daemon is started, and what each implies.

Under the name ``containerd`` (a symbolic link is enough) everything is where containerd has it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from moorage_core import COMPATIBLE, VERSION

VARIABLE = "MOORAGE_PROGRAM"
"""Carries the console script's path over its re-execution, since ``python -m`` forgets it."""

_ARENAS = "2"


@dataclass(frozen=True)
class Program:
    """``imports`` is the pattern that ``config default`` prints; it holds only where a file says it."""

    name: str
    config: str
    root: str
    state: str
    imports: str
    version: str

    @property
    def socket(self) -> str:
        """The name of the daemon's socket in its state directory, unless it is told another."""
        return "containerd.sock" if self.name == "containerd" else "moorage.sock"


CONTAINERD = Program(
    "containerd",
    "/etc/containerd/config.toml",
    "/var/lib/containerd",
    "/run/containerd",
    "/etc/containerd/conf.d/*.toml",
    f"containerd github.com/containerd/containerd v{COMPATIBLE} moorage-{VERSION}",
)
MOORAGED = Program(
    "mooraged",
    "/etc/moorage/config.toml",
    "/var/lib/moorage",
    "/run/moorage",
    "/etc/moorage/conf.d/*.toml",
    f"mooraged {VERSION} (containerd {COMPATIBLE})",
)


def named(path: str) -> Program:
    """The program that a path or name stands for."""
    return CONTAINERD if PurePath(path).name == CONTAINERD.name else MOORAGED


def environment(path: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """What the console script hands to the daemon: its path, and few malloc arenas, which keep its memory small."""
    return {"MALLOC_ARENA_MAX": _ARENAS, **inherited, VARIABLE: str(Path(path).absolute())}


def current(argv0: str) -> Program:
    """The program of this process. Takes what ``environment`` added out again, since children inherit the rest.

    ``sys.argv[0]`` then is the script again: what others may call to reach us, as shims are told.
    """
    if VARIABLE not in os.environ:
        return named(argv0)
    if os.environ.get("MALLOC_ARENA_MAX") == _ARENAS:  # malloc has read it
        del os.environ["MALLOC_ARENA_MAX"]
    path = os.environ.pop(VARIABLE)
    if PurePath(path).is_absolute():
        sys.argv[0] = path
    return named(path)
