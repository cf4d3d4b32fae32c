"""The node monitor put together: its arguments, its parts, and when it is no longer needed.

One process for all containers of a daemon's state directory. It outlives the daemon, keeps no event to itself, and
after a restart of its own takes over what still runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from moorage_runtime_runc import adoptions, cgroups, escrows, inheritances, shields, shims
from moorage_runtime_runc.deposits import Deposits
from moorage_runtime_runc.hosts import Host
from moorage_runtime_runc.inheritances import Inheritance
from moorage_runtime_runc.journals import Journal
from moorage_runtime_runc.log_services import LogService
from moorage_runtime_runc.ooms import Watcher
from moorage_runtime_runc.publishers import Publisher
from moorage_runtime_runc.reapers import Reaper
from moorage_runtime_runc.records import Index
from moorage_runtime_runc.sandbox_services import SandboxService
from moorage_runtime_runc.sandboxes import Sandboxes
from moorage_runtime_runc.services import TaskService
from moorage_runtime_runc.shims import LOCKED, NAMESPACE
from moorage_runtime_runc.spawns import Spawner
from moorage_runtime_runc.tasks import Tasks
from moorage_sdk import errors, namespaces
from moorage_sys import processes
from moorage_ttrpc import servers, sockets
from moorage_ttrpc.methods import Call, Method

log = logging.getLogger("moorage.monitor")

LINGER = 30.0
"""Seconds that a monitor without containers and without a daemon stays: long enough for a daemon to start again."""

UNPLACED = 71
"""Exit status of a monitor that cannot be in the cgroup it was made for (EX_OSERR in sysexits.h)."""

_CHECK, _SHORTEST_CHECK = 5.0, 0.05
"""Seconds between two looks whether anybody needs the monitor."""

_FLUSH = 1.0
"""Seconds that the last events get to be taken; they are on disk all the same."""

_SETTLE = 20.0
"""Seconds that commands of the runtime get which nobody waits for any more."""


N = TypeVar("N", int, float)

_VALUES = {"--state", "--socket", "--address", "--events", "--linger", "--cgroup", "--inherit"}


@dataclass(frozen=True)
class Arguments:
    """``address`` is the daemon's gRPC socket; ``events`` is where it takes events, by default ``<address>.ttrpc``.

    ``linger`` is how many seconds a monitor without containers stays once its daemon is gone, or, with ``leave``, in
    any case: a foreign containerd starts a new one when it needs one. ``announce`` closes the standard output as soon
    as the socket is served. ``cgroup`` is where the process has to be. ``inherit`` is the descriptor of an inheritance
    (``inheritances``), -1 for none.
    """

    state: Path
    socket: Path
    address: Path | None = None
    linger: float = LINGER
    leave: bool = False
    relay: bool = False
    announce: bool = False
    events: Path | None = None
    cgroup: str = ""
    inherit: int = -1


def parse(argv: Sequence[str]) -> Arguments:
    """Raises errors.InvalidArgument. By hand, for argparse would stay in memory for as long as the monitor does."""
    values: dict[str, str] = {}
    flags: set[str] = set()
    words = iter(argv)
    for word in words:
        if word in ("--leave", "--relay", "--announce"):
            flags.add(word)
        elif word in _VALUES and (value := next(words, "")):
            values[word] = value
        else:
            raise errors.InvalidArgument(f'argument "{word}": unknown or without a value')
    for needed in ("--state", "--socket"):
        if needed not in values:
            raise errors.InvalidArgument(f'argument "{needed}": missing')
    address = sockets.path_of(values["--address"]) if "--address" in values else None
    events = values.get("--events") or (f"{address}.ttrpc" if address else "")
    return Arguments(
        Path(values["--state"]),
        Path(values["--socket"]),
        address,
        _number("--linger", values.get("--linger", str(LINGER)), float),
        "--leave" in flags,
        "--relay" in flags,
        "--announce" in flags,
        sockets.path_of(events) if events else None,
        values.get("--cgroup", ""),
        _number("--inherit", values.get("--inherit", "-1"), int),
    )


def _number(name: str, text: str, kind: type[N]) -> N:
    try:
        return kind(text)
    except ValueError:
        raise errors.InvalidArgument(f'argument "{name}": "{text}" is no number') from None


class Monitor:
    """Everything the process has, put together on a running loop."""

    def __init__(self, arguments: Arguments, inheritance: Inheritance | None = None) -> None:
        self._arguments = arguments
        self._inheritance = inheritance or Inheritance()
        self._spawner = Spawner()
        self._spawner.raise_limit()
        self._reaper = Reaper()
        self._ooms = Watcher()
        self._journal = Journal(arguments.state / "events")
        self._publisher = Publisher(self._journal, arguments.events)
        self._index = Index(arguments.state / "tasks")
        self._deposits = Deposits()
        host = Host(self._reaper, self._spawner, arguments.state, arguments.relay, self._deposits)
        self._tasks = Tasks(host, self._publisher, self._index, self._ooms)
        self._sandboxes = Sandboxes(Index(arguments.state / "sandboxes"))
        self._stop = asyncio.Event()
        self._namespaces: dict[str, Path] = {}
        own = {"Listen": Method(bytes, self._listen, bytes), **LogService(self._tasks).methods()}
        services = {
            **TaskService(self._tasks, self._asked_to_leave).services(),
            **SandboxService(self._sandboxes).services(),
        }
        self._server = servers.Server({**services, shims.MONITOR: own})

    async def run(self) -> None:
        """Serve until told to stop, or until nobody needs the monitor any more."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._reaper.start()
        await adoptions.adopt_all(self._tasks, self._index, self._inheritance)
        self._sandboxes.adopt()
        gc.collect()
        gc.freeze()
        async with self._publishing():
            self._deposits.serve(escrows.listen(escrows.beside(self._arguments.socket)))
            await self._server.serve(self._arguments.socket)
            log.info("serving %d containers", len(self._tasks))
            if self._arguments.announce:
                os.dup2(2, 1)
            await self._until_useless()
            await self._server.close()
            await shields.settled(_SETTLE)
            await self._publisher.flush(_FLUSH)
        self._deposits.close()
        await self._tasks.close()
        self._ooms.close()
        self._reaper.close()
        self._journal.close()

    @contextlib.asynccontextmanager
    async def _publishing(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._publisher.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _until_useless(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), min(max(self._arguments.linger, _SHORTEST_CHECK), _CHECK))
            if self._useless():
                return

    def _useless(self) -> bool:
        lately = time.monotonic() - self._tasks.empty_since < self._arguments.linger
        if len(self._tasks) or len(self._sandboxes) or lately:
            return False
        return self._arguments.leave or not self._daemon_lives()

    def _daemon_lives(self) -> bool:
        return self._arguments.address is not None and sockets.alive(self._arguments.address)

    async def _listen(self, request: bytes, call: Call) -> bytes:
        """The socket for one namespace, whose name is the request: not every containerd tells it in its calls."""
        namespace = namespaces.required(request.decode("utf-8", "replace"))
        self._tasks.touch()
        if namespace not in self._namespaces:
            path = self._arguments.state / f"namespace-{len(self._namespaces)}.sock"
            self._namespaces[namespace] = path
            await self._server.serve(path, metadata=((NAMESPACE, namespace),))
        return os.fsencode(self._namespaces[namespace])

    def _asked_to_leave(self, now: bool) -> None:
        # A plain Shutdown follows every Delete; only who starts monitors says "now".
        if now:
            self._stop.set()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a monitor; returns its exit status."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    try:
        arguments = parse(sys.argv[1:] if argv is None else argv)
    except errors.Error as error:
        log.error("%s", error)
        return 2
    arguments.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(arguments.state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info("another monitor serves %s", arguments.state)
        return LOCKED
    # Not for our own files, whose modes are explicit: runtimes inherit it and make directories in root file systems.
    os.umask(0o022)
    processes.close_from(3, on_exec_only=True)  # whatever came along with us, no container may see it
    processes.set_subreaper()
    processes.set_name("moorage-monitor")
    _adjust_oom_score()
    if not _enter(arguments):
        return UNPLACED
    asyncio.run(_run(arguments, _inherited(arguments)))
    return 0


async def _run(arguments: Arguments, inheritance: Inheritance) -> None:
    await Monitor(arguments, inheritance).run()


def _inherited(arguments: Arguments) -> Inheritance:
    """What was left to us. One that cannot be read is none: records on disk are enough for most of it."""
    try:
        return inheritances.read(arguments.inherit) if arguments.inherit >= 0 else Inheritance()
    except errors.DataLoss:
        log.exception("terminals of an earlier monitor are lost")
        return Inheritance()


def _enter(arguments: Arguments) -> bool:
    """Go where we have to be, if that is told. Containers that are there already are not given up for it."""
    if not arguments.cgroup:
        return True
    try:
        cgroups.named(arguments.cgroup).enter()
    except (errors.Error, OSError) as error:
        log.error('cgroup "%s": not entered: %s', arguments.cgroup, error)
        return any(Index(arguments.state / "tasks").bundles())
    return True


def _adjust_oom_score() -> None:
    """One above whoever started us, as the shims of containerd (pkg/sys/oom_linux.go), if we are allowed to."""
    try:
        score = int(Path(f"/proc/{os.getppid()}/oom_score_adj").read_text("ascii"))
        Path("/proc/self/oom_score_adj").write_text(str(min(score + 1, 1000)), "ascii")
    except OSError as error:
        log.info("OOM score: not adjusted: %s", error)
