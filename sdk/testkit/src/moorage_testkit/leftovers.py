"""What Docker's engine leaves outside of its directories when it ends as tests make it end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from moorage_sys import mountinfo

KEY = Path("/etc/docker/key.json")
OUTSIDE = (Path("/run/docker/plugins"), Path("/run/docker"))
"""What it makes whatever directories it is given."""

PATIENCE = 30.0
_POLL = 0.05


class Leftovers:
    """Of an engine whose containers have their cgroups under ``cgroup``, on a daemon at ``address``.

    Made before the engine starts, for what was there then is not its.
    """

    def __init__(self, cgroup: str, address: str = "") -> None:
        self._cgroup = cgroup
        self._address = address
        self._key = KEY.exists()

    def kill(self) -> None:
        """End what neither it nor a daemon is left to end: processes of its containers, and containerd's shims."""
        pids = {pid for tree in self._trees() for file in tree.rglob("cgroup.procs") for pid in _members(file)}
        pids |= set(_shims(self._address)) if self._address else set()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while any(map(runs, pids)):
            assert time.monotonic() < deadline, f"cannot be killed: {sorted(pids)}"
            time.sleep(_POLL)

    def remove(self) -> None:
        """Its cgroups and its key, and what others may use as well only while that is empty."""
        for tree in self._trees():
            for path, _, _ in os.walk(tree, topdown=False):
                with suppress(OSError):  # of a container that a daemon is about to remove
                    Path(path).rmdir()
        for folder in OUTSIDE:
            with suppress(OSError):
                folder.rmdir()
        if not self._key:
            KEY.unlink(missing_ok=True)

    def _trees(self) -> list[Path]:
        """Its cgroup in every hierarchy."""
        return [Path(each.mount_point, self._cgroup) for each in mountinfo.read() if each.type in ("cgroup", "cgroup2")]


def runs(pid: int) -> bool:
    """Whether there is such a process; a zombie is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _members(file: Path) -> list[int]:
    try:
        return [int(pid) for pid in file.read_text("ascii").split()]
    except OSError:
        return []  # removed while it was looked at


def _shims(address: str) -> Iterator[int]:
    """Of a daemon at that address. One whose daemon died in the middle of a test waits for it for ever."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = file.read_bytes().split(b"\0")
            if b"containerd-shim" in words[0] and os.fsencode(address) in words:
                yield int(file.parent.name)
