"""The standard streams of one process: what it gets, what is kept for it, and how it all ends.

Without a terminal the process gets the FIFO ends themselves and nothing is copied, so its output needs neither us nor
memory of ours. With ``relay`` (a security module would mediate a path but not an anonymous pipe) and with a terminal
the monitor copies.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from moorage_runtime_runc import entries, loggers, reopenings, spools, uris
from moorage_runtime_runc.descriptors import Descriptors
from moorage_runtime_runc.entries import Format, Raw
from moorage_runtime_runc.flows import OUTPUTS, Flows
from moorage_sdk import errors
from moorage_sdk.tasks import Stdio

DRAIN = 10.0
"""Seconds that Delete waits for output to be copied: a process in the background may hold its end for ever."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose streams they are, and who they belong to on the host (``io_uid`` and ``io_gid`` of runc's options)."""

    namespace: str
    id: str
    uid: int = 0
    gid: int = 0


class Streams:
    """Made by ``openings``; ``child`` is for the runtime's command line, after which ``started`` is called.

    Every descriptor that has to survive this process stands under its role in ``held``:

    - ``stdout``, ``stderr``: our read end of the client's FIFO, so that the process survives the client;
    - ``stdin``: our write end of the client's FIFO, so that a client that comes again is no end of input;
    - ``pipe-stdout``, ``pipe-stderr``, ``master``: where the process writes to, and ``sink-stdout``, ``sink-stderr``:
      where it is moved to;
    - ``logger``: the pidfd of the log program, which is to end with the process;
    - ``log``: the file that ``pipe-stdout`` and ``pipe-stderr`` are written to instead, by way of ``spool-stdout`` and
      ``spool-stderr``;
    - ``source-stdin``, ``pipe-stdin``: where the input of the process comes from, and where it is moved to.

    ``changed`` is called after each change of the set, before a descriptor that left it is closed, so that a number
    is never in it again for something else without a call in between.
    """

    def __init__(self, changed: Callable[[], None] | None = None) -> None:
        self.changed = changed
        self._ends: dict[str, int] = {}
        self._given = Descriptors()
        self._child: dict[int, int | None] = {0: None, 1: None, 2: None}
        self._format: Format = Raw()
        self._flows: Flows | None = None
        self._terminal = False

    @property
    def child(self) -> Mapping[int, int | None] | None:
        """Descriptors for the process by its own numbers, None among them is /dev/null. None with a terminal."""
        return None if self._terminal else self._child

    @property
    def master(self) -> int | None:
        """The terminal's master while it is open."""
        return self._ends.get("master")

    def held(self) -> Mapping[str, int]:
        """What the next monitor needs, by role."""
        return dict(self._ends)

    def started(self) -> None:
        """The process has its ends: close ours, so that the readers see the end when it closes its own, and begin.

        Not earlier: what the runtime itself has to complain of when it fails is no output of the process.
        """
        self._given.close_all()
        self._begin()

    def attach(self, master: int) -> None:
        """Take the terminal; it is copied from and to once ``started``. Owns ``master``."""
        self.hold("master", master)
        self.tell()

    def adopt(self, stdio: Stdio, held: Mapping[str, int] | None = None, *, stdin_open: bool, pid: int = 0) -> None:
        """Go on where an earlier monitor stopped: with what was ``held``, which is owned from now on, and with what
        can be opened again of the process ``pid``.
        """
        self._terminal = stdio.terminal
        self._ends.update(held or {})
        if not stdin_open:
            self._release("stdin")
        self._ends.update(reopenings.find(stdio, pid, self._ends, stdin_open=stdin_open))
        self._format = entries.of(uris.parse(stdio.stdout))
        self.tell()
        self._begin()

    def reopen_log(self, path: Path) -> None:
        """Go on in another file at the same place, after the first was renamed. What is under way is in the first.

        Raises errors.FailedPrecondition if there is none, or no more to be written to it, errors.InvalidArgument,
        OSError.
        """
        if self._flows is None:
            raise errors.FailedPrecondition(f'log "{path}": nothing is written yet: failed precondition')
        old = self._ends.get("log")
        self.hold("log", self._flows.reopen_log(path))
        self.tell()
        if old is not None:
            os.close(old)

    def close_stdin(self) -> None:
        """Let go of our write end: once the client has closed its own, the process reads the end of its input."""
        self._release("stdin")

    async def drain(self, timeout: float = DRAIN) -> bool:
        """Wait until everything the process wrote was copied. False if that takes longer than ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                if self._flows is not None:
                    await self._flows.drain()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Let go of everything."""
        if self._flows is not None:
            self._flows.stop()
        self._given.close_all()
        self._release(*(self._ends.keys() - {"logger"}))
        if "logger" in self._ends:
            await loggers.stop(self._ends["logger"])
            self._release("logger")

    # What follows is for whoever opens them.

    def give(self, number: int, fd: int) -> None:
        """The process gets ``fd``, which is owned until then, as its descriptor ``number``."""
        self._child[number] = self._given.add(fd)

    def hold(self, role: str, fd: int) -> None:
        """Own a descriptor; for ``tell`` to be called when all are there."""
        self._ends[role] = fd

    def tell(self) -> None:
        """The set of what is held has changed."""
        if self.changed is not None:
            self.changed()

    def use_terminal(self) -> None:
        """What is held by ``sink-stdout`` and ``source-stdin`` is for a terminal that is yet to come."""
        self._terminal = True

    def use_log(self, fd: int, format: Format) -> None:
        """What comes out of the pipes is appended to the file ``fd``, which is owned from now on."""
        self._format = format
        self.hold("log", fd)
        for name in OUTPUTS[:1] if self._terminal else OUTPUTS:
            self.hold(f"spool-{name}", spools.create())

    def _begin(self) -> None:
        self._flows = Flows(self._ends, self._format, self._release, terminal=self._terminal)

    def _release(self, *roles: str) -> None:
        fds = [self._ends.pop(role) for role in roles if role in self._ends]
        if fds:
            self.tell()
        for fd in fds:
            os.close(fd)
