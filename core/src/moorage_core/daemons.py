"""The daemon: settings in, a process that serves until it is told to stop.

Everything before READY happens in order, in one thread, and each step either succeeds or says why it cannot.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from moorage_core import VERSION, cgroups, discovery, logs, notifications, processes, selections
from moorage_core import settings as settings_
from moorage_core.discovery import Candidate, Installed
from moorage_core.documents import Fault
from moorage_core.hooks import Hooks
from moorage_core.lifecycles import Kernel, Stopped
from moorage_core.premises import Premises
from moorage_core.programs import Program
from moorage_core.records import OK, Record
from moorage_core.settings import ConfigurationError, Request, Settings
from moorage_core.signals import Signals
from moorage_sdk import errors
from moorage_sdk.services import Server
from moorage_sdk.slots import Daemon, Slot

GRACE = 5.0
"""Seconds that running requests get when the daemon stops."""

CLOSING = 10.0
"""Seconds that plugins get after that; then the process ends regardless."""

SERVER: Slot[Server] = Slot("server", "io.containerd.server.v1")
"""The one slot that the kernel uses itself, ``moorage_sdk.services.SERVER``."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What a start would do: everything known before the first plugin is made."""

    settings: Settings
    records: tuple[Record, ...]
    hooks: tuple[tuple[Candidate, str], ...]
    warnings: tuple[Fault, ...]


@dataclass(frozen=True)
class Outline:
    """What is known before any plugin is imported."""

    settings: Settings
    candidates: tuple[Candidate, ...]
    complaints: tuple[str, ...]


def outline(request: Request, program: Program, installed: Installed) -> Outline:
    """Read the configuration and the list of what is installed. Faults are in the settings."""
    slots, complaints = installed.slots()
    candidates = installed.plugins(slots)
    settings = settings_.load(request, program, installed, candidates)
    return Outline(settings, tuple(candidates), tuple(complaints))


def plan(outline: Outline, installed: Installed) -> Plan:
    """Settle what takes part. Raises ConfigurationError with all faults of files, tables and lists at once."""
    settings = outline.settings
    records, faults = selections.select(settings, outline.candidates, installed.candidates(discovery.PROVIDERS))
    faults = [*settings.faults, *faults, *selections.missing(settings, records)]
    if faults:
        raise ConfigurationError(dict.fromkeys(faults))  # two may read one table
    implementations = installed.candidates(discovery.HOOKS)
    chosen = tuple((each, selections.refusal(settings, each.uri, each.ours)) for each in implementations)
    known = (each.uri for each in implementations)
    warnings = [Fault(None, complaint) for complaint in outline.complaints]
    warnings += [*settings.warnings, *selections.warnings(settings, records, known)]
    return Plan(settings, tuple(records), chosen, tuple(warnings))


def run(request: Request, program: Program) -> int:
    """Be the daemon; returns the exit code. Raises ConfigurationError or errors.Error when it cannot start."""
    began = time.monotonic()
    logs.configure(request.flags.get("log-level", ""))
    signals = Signals(program.name)
    signals.install()
    processes.harden(program.name)
    installed = Installed()
    outlined = outline(request, program, installed)
    settings = outlined.settings
    logs.configure(settings.top.debug.level, settings.top.debug.format)
    log.info("starting %s", program.name, extra={"version": VERSION})
    if settings.faults:
        plan(outlined, installed)  # which raises them, together with those of the plugins
    premises = Premises(settings)  # before the plugins, whose import takes most of the time
    try:
        planned = plan(outlined, installed)
        cgroups.enter(settings.top.cgroup.path)
    except BaseException:
        premises.withdraw()
        raise
    for warning in planned.warnings:
        log.warning("%s", warning)
    for path in processes.exposed(sys.path):
        log.warning("others than the daemon's user can change its code", extra={"path": path})
    processes.use_temporary(settings.top.temp)
    processes.adjust_oom_score(settings.top.oom_score)
    daemon = Daemon(settings.root, settings.state, VERSION, program.name)
    kernel = Kernel(settings, daemon, planned.records, Hooks())
    kernel.hooks.add(planned.hooks)
    serving = _Serving(kernel, signals, began)
    try:
        asyncio.run(serving.serve())
    except Stopped:
        log.info("stopped while starting")
    finally:
        if serving.deadline:  # only now: the loop waits for its threads when it closes
            serving.deadline.cancel()
        premises.release()
    return 0


class _Serving:
    """From the first plugin to the last close."""

    def __init__(self, kernel: Kernel, signals: Signals, began: float) -> None:
        self.kernel = kernel
        self.signals = signals
        self.began = began
        self.started: list[tuple[str, Server]] = []
        self.deadline: processes.Deadline | None = None

    async def serve(self) -> None:
        stop = self.signals.attach()
        beats: asyncio.Task[None] | None = None
        try:
            self.kernel.make(lambda: self.signals.stopping)
            self.kernel.hooks.announce("plugins_ready", statuses=self.kernel.statuses())
            await self._start()
            beats = self._ready()
            await stop.wait()
        finally:
            await self._stop()
            if beats:
                beats.cancel()

    async def _start(self) -> None:
        """Start the servers. One that cannot listen where it was told to ends the daemon, as in containerd."""
        for record in self.kernel.records(SERVER.name):
            if record.state != OK:
                continue
            server: Server = record.instance
            if self.signals.stopping:
                raise Stopped
            if server.address:
                log.info("starting server", extra={"id": record.uri, "address": server.address})
                await _listen(record.uri, server)
                self.started.append((record.uri, server))
        if not self.started:
            log.warning("no server has an address: nobody can reach this daemon")

    def _ready(self) -> asyncio.Task[None] | None:
        gc.collect()
        gc.freeze()
        self.kernel.hooks.announce("daemon_ready", addresses={uri: server.address for uri, server in self.started})
        _notify("READY=1")
        log.info("containerd successfully booted in %fs", time.monotonic() - self.began)
        interval = notifications.watchdog()
        return asyncio.ensure_future(_beat(interval)) if interval else None

    async def _stop(self) -> None:
        log.info("stopping")
        _notify("STOPPING=1")
        self.deadline = processes.Deadline(GRACE + CLOSING, self.kernel.daemon.program)
        self.kernel.hooks.announce("daemon_stopping")
        servers = [server for _, server in reversed(self.started)]
        for outcome in await asyncio.gather(*(server.stop(GRACE) for server in servers), return_exceptions=True):
            if isinstance(outcome, BaseException):
                log.error("cannot stop a server", exc_info=outcome)
        self.kernel.close()


async def _listen(uri: str, server: Server) -> None:
    try:
        await server.start()
    except errors.Error:
        raise
    except OSError as error:
        raise errors.FailedPrecondition(
            f'server "{uri}": cannot listen at "{server.address}": {error.strerror or error}',
            hint=f"let uid {os.geteuid()} write there, or give it another address",
        ) from error
    except Exception as error:  # foreign code
        raise errors.FailedPrecondition(f'server "{uri}": cannot start: {type(error).__name__}: {error}') from error


async def _beat(interval: float) -> None:
    """A sign of life from the loop itself, so that systemd restarts a daemon whose loop hangs."""
    while True:
        _notify("WATCHDOG=1")
        await asyncio.sleep(interval)


def _notify(state: str) -> None:
    try:
        notifications.send(state)
    except OSError as error:
        log.warning("cannot notify systemd", extra={"state": state, "error": error})


def faults(error: Exception) -> Iterable[str]:
    """The lines that a person reads when the daemon does not start."""
    if isinstance(error, ConfigurationError):
        yield from (str(fault) for fault in error.faults)
        yield 'the configuration has faults, nothing was started; check it with "mooraged config check"'
    else:
        yield str(error)
