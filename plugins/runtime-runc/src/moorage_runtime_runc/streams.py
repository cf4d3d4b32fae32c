"""The standard streams of one process: what it gets, what is kept for it, and how it all ends.

Without a terminal the process gets the FIFO ends themselves and nothing is copied, so its output needs neither us nor
memory of ours. With ``relay`` (a security module would mediate a path but not an anonymous pipe) and with a terminal
the monitor copies.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from moorage_runtime_runc import fifos, loggers, uris
from moorage_runtime_runc.descriptors import Descriptors
from moorage_runtime_runc.pumps import Pump
from moorage_sdk import errors
from moorage_sdk.tasks import Stdio

OUTPUTS = ("stdout", "stderr")
"""By descriptor number, from 1."""

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
    - ``source-stdin``, ``pipe-stdin``: where the input of the process comes from, and where it is moved to.

    ``changed`` is called after each change of the set, before a descriptor that left it is closed, so that a number
    is never in it again for something else without a call in between.
    """

    def __init__(self, changed: Callable[[], None] | None = None) -> None:
        self.changed = changed
        self._ends: dict[str, int] = {}
        self._given = Descriptors()
        self._child: dict[int, int | None] = {0: None, 1: None, 2: None}
        self._pumps: dict[str, Pump] = {}
        self._logger: loggers.Logger | None = None
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
        self._hold({"master": master})

    def adopt(self, stdio: Stdio, held: Mapping[str, int] | None = None, *, stdin_open: bool) -> None:
        """Go on where an earlier monitor stopped: with what was ``held``, which is owned from now on, and with what
        can be opened again of a process that still runs.
        """
        self._terminal = stdio.terminal
        self._ends.update(held or {})
        for role, target in (("stdout", stdio.stdout), ("stderr", stdio.stderr)):
            path = _fifo_path(target)
            with contextlib.suppress(errors.Error):
                if path is not None and role not in self._ends and fifos.is_fifo(path):
                    self._ends[role] = fifos.open_reader(path)
        stdin = _fifo_path(stdio.stdin)
        if not stdin_open:
            self._release("stdin")
        elif stdin is not None and "stdin" not in self._ends:
            with contextlib.suppress(errors.Error):
                self._hold_stdin(stdin)
        self._tell()
        self._begin()

    def close_stdin(self) -> None:
        """Let go of our write end: once the client has closed its own, the process reads the end of its input."""
        self._release("stdin")

    async def drain(self, timeout: float = DRAIN) -> bool:
        """Wait until everything the process wrote was copied. False if that takes longer than ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                for name in OUTPUTS:
                    if name in self._pumps:
                        await self._pumps[name].done.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Let go of everything."""
        for pump in self._pumps.values():
            pump.stop()
        self._given.close_all()
        self._release(*self._ends)
        if self._logger is not None:
            logger, self._logger = self._logger, None
            await logger.stop()

    # What follows builds the streams.

    async def add_output(self, number: int, target: str, owner: Owner, *, relay: bool) -> None:
        """Send descriptor ``number`` of the process to a FIFO or file."""
        name = OUTPUTS[number - 1]
        fd = await self._open_sink(name, Path(target), owner)
        if relay:
            read, write = self._given.pipe()
            _chown(write, owner)
            self._hold({f"pipe-{name}": self._given.take(read), f"sink-{name}": self._given.take(fd)})
            fd = write
        self._child[number] = fd

    def add_input(self, source: str, owner: Owner, *, relay: bool) -> None:
        """Feed the process from a FIFO, and hold a write end so that a client that reconnects is no end of input."""
        path = Path(source)
        fd = self._given.add(fifos.open_reader(path, blocking=not relay))
        if fifos.is_fifo(path):
            _chown(fd, owner)
            self._hold_stdin(path)
        if relay:
            read, write = self._given.pipe()
            _chown(read, owner)
            self._hold({"source-stdin": self._given.take(fd), "pipe-stdin": self._given.take(write)})
            fd = read
        self._child[0] = fd

    def use_logger(self, logger: loggers.Logger, *, terminal: bool) -> None:
        """Send both outputs to a log program; a terminal is both, and then the second pipe has no writer."""
        self._logger = logger
        self._child[2] = self._given.add(logger.stderr)
        if terminal:
            self._hold({"sink-stdout": logger.stdout})
        else:
            self._child[1] = self._given.add(logger.stdout)

    async def prepare_terminal(self, stdio: Stdio, owner: Owner) -> None:
        """Open what a terminal will be copied to and from, before there is one."""
        self._terminal = True
        if stdio.stdout:
            fd = await self._open_sink("stdout", Path(stdio.stdout), owner)
            self._hold({"sink-stdout": self._given.take(fd)})
        if stdio.stdin:
            path = Path(stdio.stdin)
            self._hold({"source-stdin": fifos.open_reader(path)})
            self._hold_stdin(path)

    async def _open_sink(self, name: str, path: Path, owner: Owner) -> int:
        if not fifos.is_fifo(path):
            return self._given.add(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
        fd = self._given.add(await fifos.open_writer(path))
        self._hold({name: fifos.open_reader(path)})
        _chown(fd, owner)
        return fd

    def _hold_stdin(self, path: Path) -> None:
        fd = fifos.try_writer(path)
        if fd is not None:
            self._hold({"stdin": fd})

    # What follows moves the bytes.

    def _begin(self) -> None:
        """Start a pump wherever there are its two ends; one that was not opened is where output is dropped."""
        for name in OUTPUTS:
            source = self._ends.get(self._source_of(name))
            if source is not None:
                self._pumps[name] = Pump(source, self._ends.get(f"sink-{name}"), partial(self._output_ended, name))
        source, sink = self._ends.get("source-stdin"), self._ends.get("master" if self._terminal else "pipe-stdin")
        if source is not None and sink is not None:
            self._pumps["stdin"] = Pump(source, sink, self._input_ended)

    def _source_of(self, name: str) -> str:
        return "master" if self._terminal and name == "stdout" else f"pipe-{name}"

    def _output_ended(self, name: str) -> None:
        if self._terminal and "stdin" in self._pumps:
            self._pumps["stdin"].stop()
            self._release("source-stdin")
        self._release(self._source_of(name), f"sink-{name}")

    def _input_ended(self) -> None:
        """The client has closed its end and so have we."""
        self._release("source-stdin", "pipe-stdin")
        if self._terminal and "stdin" not in self._ends:
            # Hang up, as the runc shim does, after what is to be read.
            asyncio.get_running_loop().call_later(0.1, self._hang_up)

    def _hang_up(self) -> None:
        if "master" in self._ends:
            self._pumps["stdout"].stop()
            self._output_ended("stdout")

    def _hold(self, ends: Mapping[str, int]) -> None:
        self._ends.update(ends)
        self._tell()

    def _release(self, *roles: str) -> None:
        fds = [self._ends.pop(role) for role in roles if role in self._ends]
        if fds:
            self._tell()
        for fd in fds:
            os.close(fd)

    def _tell(self) -> None:
        if self.changed is not None:
            self.changed()


def _fifo_path(target: str) -> Path | None:
    """The path of a FIFO, None for nothing and for a log URI."""
    plain = uris.plain(target)
    return Path(plain) if plain and uris.parse(plain) is None else None


def _chown(fd: int, owner: Owner) -> None:
    if owner.uid or owner.gid:
        os.fchown(fd, owner.uid, owner.gid)
