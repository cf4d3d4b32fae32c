"""Configuration modules: how a distribution takes part in reading the file without being loaded.

A module in the entry-point group ``moorage.config`` imports the standard library and this module only. The kernel runs
it for every installed distribution, also when its plugins are disabled (and then never imported): an old file must be
understood, and its keys known, either way. All four names are optional::

    TABLES = ("grpc",)
    FLAGS = {"address": ("plugins", "io.containerd.server.v1.grpc", "address")}
    ABSENT = {("plugins", "io.containerd.nri.v1.nri"): "no part of moorage, nobody is asked about containers"}

    def migrate(document: dict[str, Any], version: int) -> None:
        if version == 3 and "grpc" in document:
            document.setdefault("plugins", {}).setdefault("io.containerd.server.v1.grpc", document.pop("grpc"))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

Setter = Callable[[dict[str, Any], str], None]
"""Puts the value of a flag into the merged document, for a flag that means more than one key."""


_LISTS = ("disabled_plugins", "required_plugins")


def adopt(document: dict[str, Any], theirs: str, ours: str, keys: Sequence[str]) -> None:
    """Take over the settings ``keys`` of containerd's plugin ``theirs``, for one that is ours and does the same.

    What a file says under our name goes before. What is left is for others, or for the report of unknown keys.
    """
    plugins = document.get("plugins")
    table = plugins.get(theirs) if isinstance(plugins, dict) else None
    if isinstance(plugins, dict) and isinstance(table, dict):
        taken = {key: table.pop(key) for key in keys if key in table}
        known = plugins.setdefault(ours, taken)
        if isinstance(known, dict):
            known.update({key: value for key, value in taken.items() if key not in known})
        if not table:
            del plugins[theirs]


def rename(document: dict[str, Any], theirs: str, ours: str) -> None:
    """Let the lists of plugins mean ours when they name containerd's, which is the same under another name."""
    for name in _LISTS:
        listed = document.get(name)
        if isinstance(listed, list):
            listed[:] = [ours if uri == theirs else uri for uri in listed]


@runtime_checkable
class Tables(Protocol):
    TABLES: tuple[str, ...]
    """Top-level keys that belong to the distribution; others are reported as unknown."""


@runtime_checkable
class Flags(Protocol):
    FLAGS: Mapping[str, tuple[str, ...] | Setter]
    """Command-line flag (``address``) to the path of the key it sets, or to a function that sets it.

    Applied to the merged document after all migrations. A flag may be claimed by several distributions.
    """


@runtime_checkable
class Absences(Protocol):
    ABSENT: Mapping[tuple[str | int, ...], str]
    """Tables and keys by their path that other daemons read and this one does not, and why; reported, never fatal.

    A plugin of that URI that is installed after all reads its table.
    """


@runtime_checkable
class Migration(Protocol):
    def migrate(self, document: dict[str, Any], version: int) -> None:
        """Bring ``document``, one file of ``version`` (1 to 3), to ``version + 1``, in place.

        Called once per version step and file, before files are merged, and a last time with 4, the newest version, for
        what a plugin of ours calls otherwise than containerd does. Values that move should stay the same objects:
        the kernel recognises them and keeps saying which line they came from. Raises ValueError for what it cannot
        understand.
        """
