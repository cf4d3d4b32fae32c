"""Mounts as values: plans to be printed, compared and sent over the wire. ``moorage_sys.mounts`` performs them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mount:
    """One mount. ``options`` keep their order: runtimes receive them as they stand (lower directories newest first).

    ``target`` is relative to the place that the whole list is mounted at, usually empty.
    """

    type: str
    source: str
    options: tuple[str, ...] = ()
    target: str = ""

    @property
    def read_only(self) -> bool:
        return "ro" in self.options
