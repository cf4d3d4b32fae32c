"""The wait of a runtime that moves a process between cgroups, begun before the runtime is.

To move one the kernel takes ``cgroup_threadgroup_rwsem`` for writing, and before that it waits until every processor
was seen at rest: 8 to 16 ms on Linux 6.18 at 250 Hz. Whoever comes soon after need not wait again. So before a runtime
is started the wait begins on a thread, by a move that changes nothing: of ourselves into the cgroup in which we are.
On two cores a Create by runc 1.1 takes 27 ms instead of 36; what an exec saves was not measured. Where cgroups are
mounted with ``favordynmods`` nobody waits, and this is one system call too many.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

from moorage_runtime_runc import cgroups

log = logging.getLogger(__name__)


class GracePeriods:
    """``begin`` returns at once. Where the kernel does not let us, it says so once and is nothing from then on."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[None] | None = None
        self._useless = False

    def begin(self) -> None:
        """A runtime is about to be started."""
        if self._useless or (self._waiting is not None and not self._waiting.done()):
            return
        self._waiting = asyncio.get_running_loop().run_in_executor(None, self._wait)

    async def over(self) -> None:
        """Returns when what was begun last has ended."""
        if self._waiting is not None:
            await self._waiting

    def _wait(self) -> None:
        try:
            _stay()
        except OSError as error:
            self._useless = True
            log.info("runtimes wait for the kernel's grace periods by themselves: %s", error)


def _stay() -> None:
    """Move this process to where it is. Raises OSError."""
    own = next(iter(cgroups.of(os.getpid()).paths.values()), None)
    if own is None:
        raise FileNotFoundError("no cgroup is ours")
    _write(own / "cgroup.procs")


def _write(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, b"0")  # whoever writes
    finally:
        os.close(fd)
