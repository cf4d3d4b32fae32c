"""What moves between the descriptors of one process: its output on to FIFOs, pipes and logs, its input to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from moorage_runtime_runc import log_files
from moorage_runtime_runc.entries import Format
from moorage_runtime_runc.log_files import LogFile
from moorage_runtime_runc.log_writers import LogWriter
from moorage_runtime_runc.pumps import Pump
from moorage_runtime_runc.spools import Spool
from moorage_sdk import errors

OUTPUTS = ("stdout", "stderr")
"""By descriptor number, from 1."""

_HANG_UP = 0.1
"""Seconds for a terminal without input to say what there is to be said."""


class Flows:
    """Begun once, with all descriptors by their roles, as ``Streams`` describes them. Owns none of them.

    ``release`` is called with the roles that have done their work.
    """

    def __init__(self, ends: Mapping[str, int], format: Format, release: Callable[..., None], *, terminal: bool):
        self._ends = ends
        self._release = release
        self._terminal = terminal
        self._log = LogFile(ends["log"]) if "log" in ends else None
        self._outputs: list[Pump | LogWriter] = []
        self._master: Pump | None = None
        self._input: Pump | None = None
        for name in OUTPUTS:
            self._begin_log(name, format)
            self._begin_pump(name)
        self._begin_input()

    async def drain(self) -> None:
        """Wait until everything the process wrote was moved."""
        for each in self._outputs:
            await each.done.wait()

    def stop(self) -> None:
        """Move no more; into a log what there is is written."""
        for each in (*self._outputs, *([self._input] if self._input else [])):
            if isinstance(each, LogWriter):
                each.finish()
            else:
                each.stop()

    def reopen_log(self, path: Path) -> int:
        """Go on in another file at ``path``, whose descriptor is the result; the caller closes the other.

        Raises errors.FailedPrecondition if there is none, or no more to be written to it, errors.InvalidArgument,
        OSError.
        """
        if self._log is None or all(each.done.is_set() for each in self._outputs):
            raise errors.FailedPrecondition(f'log "{path}": is not written by the monitor: failed precondition')
        self._log.fd = log_files.open_log(path)
        return self._log.fd

    def _begin_log(self, name: str, format: Format) -> None:
        source, spool = self._ends.get(f"pipe-{name}"), self._ends.get(f"spool-{name}")
        if self._log is not None and source is not None and spool is not None:
            on_end = partial(self._release, f"pipe-{name}", f"spool-{name}")
            self._outputs.append(LogWriter(name, source, Spool(spool), self._log, format, on_end))

    def _begin_pump(self, name: str) -> None:
        """Where there is no sink, output is dropped."""
        role = "master" if self._terminal and name == "stdout" else f"pipe-{name}"
        source, sink = self._ends.get(role), self._ends.get(f"sink-{name}")
        if source is None or (role != "master" and f"spool-{name}" in self._ends):
            return
        if role == "master":
            self._master = Pump(source, sink, self._hung_up)
            self._outputs.append(self._master)
        else:
            self._outputs.append(Pump(source, sink, partial(self._release, role, f"sink-{name}")))

    def _begin_input(self) -> None:
        source, sink = self._ends.get("source-stdin"), self._ends.get("master" if self._terminal else "pipe-stdin")
        if source is not None and sink is not None:
            self._input = Pump(source, sink, self._input_ended)

    def _input_ended(self) -> None:
        """The client has closed its end and so have we: hang up a terminal, as containerd's runc shim does."""
        self._release("source-stdin", "pipe-stdin")
        if self._terminal and "stdin" not in self._ends:
            asyncio.get_running_loop().call_later(_HANG_UP, self._hang_up)

    def _hang_up(self) -> None:
        if self._master is not None and not self._master.done.is_set():
            self._master.stop()
            self._hung_up()

    def _hung_up(self) -> None:
        if self._input is not None:
            self._input.stop()
        self._release("master", "sink-stdout", "source-stdin")
