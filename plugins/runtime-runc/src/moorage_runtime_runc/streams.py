"""The standard streams of one process: what it gets, what is kept for it, and how it all ends.

Without a terminal the process gets the FIFO ends themselves and nothing is copied, so its output needs neither us nor
memory of ours. With ``relay`` (a security module would mediate a path but not an anonymous pipe) and with a terminal
the monitor copies.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from moorage_runtime_runc import fifos, loggers, uris
from moorage_runtime_runc.descriptors import Descriptors
from moorage_runtime_runc.pumps import Pump
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
    """Made by ``openings``; ``child`` is for the runtime's command line, after which ``started`` is called."""

    def __init__(self) -> None:
        self._kept = Descriptors()
        self._given = Descriptors()
        self._child: dict[int, int | None] = {0: None, 1: None, 2: None}
        self._pumps: list[Pump] = []
        self._input: Pump | None = None
        self._stdin: int | None = None
        self._logger: loggers.Logger | None = None
        self._terminal_output: int | None = None
        self._terminal_input: int | None = None
        self._master: int | None = None
        self._terminal = False

    @property
    def child(self) -> Mapping[int, int | None] | None:
        """Descriptors for the process by its own numbers, None among them is /dev/null. None with a terminal."""
        return None if self._terminal else self._child

    @property
    def master(self) -> int | None:
        """The terminal's master while it is open."""
        return self._master

    def started(self) -> None:
        """The process has its ends: close ours, so that the readers see the end when it closes its own."""
        self._given.close_all()

    def close_stdin(self) -> None:
        """Let go of our write end: once the client has closed its own, the process reads the end of its input."""
        if self._stdin is not None:
            self._kept.close(self._stdin)
            self._stdin = None

    async def drain(self, timeout: float = DRAIN) -> bool:
        """Wait until everything the process wrote was copied. False if that takes longer than ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                for pump in self._pumps:
                    await pump.done.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Let go of everything."""
        for pump in (*self._pumps, *([self._input] if self._input else [])):
            pump.close()
        self._given.close_all()
        self._kept.close_all()
        self._stdin = None
        if self._logger is not None:
            logger, self._logger = self._logger, None
            await logger.stop()

    # What follows builds the streams.

    async def add_output(self, number: int, target: str, owner: Owner, *, relay: bool) -> None:
        """Send descriptor ``number`` of the process to a FIFO or file."""
        fd = await self._open_sink(Path(target), owner)
        if relay:
            read, write = self._given.pipe()
            _chown(write, owner)
            self._given.take(read)
            self._pumps.append(Pump(read, self._given.take(fd)))
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
            self._given.take(write)
            self._input = Pump(self._given.take(fd), write)
            fd = read
        self._child[0] = fd

    def use_logger(self, logger: loggers.Logger) -> None:
        self._logger = logger
        self._child[1] = self._given.add(logger.stdout)
        self._child[2] = self._given.add(logger.stderr)

    async def prepare_terminal(self, stdio: Stdio, owner: Owner) -> None:
        """Open what a terminal will be copied to and from, before there is one."""
        self._terminal = True
        if stdio.stdout:
            self._terminal_output = await self._open_sink(Path(stdio.stdout), owner)
        if stdio.stdin:
            path = Path(stdio.stdin)
            self._terminal_input = self._given.add(fifos.open_reader(path))
            self._hold_stdin(path)

    def attach(self, master: int) -> None:
        """Copy between a terminal and what was prepared. Owns ``master``."""
        self._master = master
        output = self._terminal_output if self._terminal_output is not None else self._child[1]
        sink = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC) if output is None else self._given.take(output)
        self._pumps.append(Pump(master, sink, self._hung_up))
        if self._terminal_input is not None:
            # A duplicate, for the two pumps end on their own; the master itself is closed with the output.
            self._input = Pump(self._given.take(self._terminal_input), os.dup(master), self._input_ended)

    def adopt(self, stdio: Stdio, *, stdin_open: bool) -> None:
        """Hold again what an earlier monitor held of a process that still runs."""
        for target in {stdio.stdout, stdio.stderr} - {""}:
            path = _fifo_path(target)
            with contextlib.suppress(errors.Error):
                if path is not None and fifos.is_fifo(path):
                    self._kept.add(fifos.open_reader(path))
        stdin = _fifo_path(stdio.stdin)
        if stdin is not None and stdin_open:
            with contextlib.suppress(errors.Error):
                self._hold_stdin(stdin)

    def _hung_up(self) -> None:
        self._master = None
        if self._input is not None:
            self._input.close()

    def _input_ended(self) -> None:
        """The client has closed the input of a terminal: hang up, as the runc shim does, after what is to be read."""
        if self._master is not None and self._stdin is None:
            asyncio.get_running_loop().call_later(0.1, self._hang_up)

    def _hang_up(self) -> None:
        for pump in self._pumps:
            if pump.source == self._master:
                pump.close()

    def _hold_stdin(self, path: Path) -> None:
        fd = fifos.try_writer(path)
        if fd is not None:
            self._stdin = self._kept.add(fd)

    async def _open_sink(self, path: Path, owner: Owner) -> int:
        if not fifos.is_fifo(path):
            return self._given.add(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
        fd = self._given.add(await fifos.open_writer(path))
        self._kept.add(fifos.open_reader(path))
        _chown(fd, owner)
        return fd


def _fifo_path(target: str) -> Path | None:
    """The path of a FIFO, None for nothing and for a log URI."""
    plain = uris.plain(target)
    return Path(plain) if plain and uris.parse(plain) is None else None


def _chown(fd: int, owner: Owner) -> None:
    if owner.uid or owner.gid:
        os.fchown(fd, owner.uid, owner.gid)
