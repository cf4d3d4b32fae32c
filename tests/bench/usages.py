"""Processor time of a daemon and of all that it starts, by a cgroup of its own.

On a machine that is busy otherwise this says what the clock cannot. What containers use is not in it: they are in the
cgroups that their runtime makes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

_V1 = Path("/sys/fs/cgroup/cpuacct")
_V2 = Path("/sys/fs/cgroup")


class Account:
    """Processes that are put in stay in, and so do those that they start."""

    def __init__(self, name: str) -> None:
        self._unified = not _V1.is_dir()
        self._folder = (_V2 if self._unified else _V1) / name
        self._folder.mkdir()

    def enter(self, pids: Iterable[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                (self._folder / "cgroup.procs").write_text(str(pid))

    @property
    def seconds(self) -> float:
        """Used so far, of user and system."""
        if not self._unified:
            return int((self._folder / "cpuacct.usage").read_text()) / 1e9
        lines = (self._folder / "cpu.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("usage_usec ")) / 1e6

    def close(self) -> None:
        """Those that are in it go to where its folder was made."""
        for pid in (self._folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (self._folder.parent / "cgroup.procs").write_text(pid)
        self._folder.rmdir()
