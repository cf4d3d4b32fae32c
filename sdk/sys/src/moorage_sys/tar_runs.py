"""Runs of plain tar entries, extracted by compiled code where it was built.

What is not plain is left to the caller, so whoever uses this can do everything without it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

try:
    _module: Any = importlib.import_module("moorage_sys._tar_runs")
except ImportError:
    # Built without a compiler.
    _module = None

COMPILED = _module is not None
"""Whether there is an ``Extractor``."""
MOST = 1024
"""Entries of one call. It also bounds how long a call keeps its caller from looking at a limit."""


@dataclass(slots=True)
class Run:
    """``size`` bytes were dealt with: ``entries`` entries. ``folders`` are the offsets of headers of directories."""

    size: int
    entries: int
    folders: list[int]


class Extractor:
    """Writes into the directory ``root``, an open descriptor. Only where ``COMPILED``."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._folders = _module.ffi.new("size_t[]", MOST)
        self._counts = _module.ffi.new("size_t[2]")

    def extract(self, data: bytes, start: int, most: int) -> Run:
        """Make new files, directories and symbolic links of the entries that begin at ``start`` in ``data``.

        It ends before the first entry that is not plain, not complete in ``data``, or fails; part of what failed may
        be there. At most ``most`` entries. Nothing leaves the root, nothing that exists is changed but the times of
        directories. The interpreter lock is free meanwhile.
        """
        counts = self._counts
        address = _module.ffi.from_buffer("char[]", data) + start
        room = min(most, MOST)
        size = _module.lib.extract_run(self._root, address, len(data) - start, room, counts, self._folders, counts + 1)
        return Run(size, counts[0], list(self._folders[0 : counts[1]]))
