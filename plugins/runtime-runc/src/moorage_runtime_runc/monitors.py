"""The node monitor put together: its parts, when it is no longer needed, and when it gives way to a successor.

One process for all containers of a daemon's state directory. It outlives the daemon, keeps no event to itself, and
after a restart of its own takes over what still runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import importlib
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from moorage_runtime_runc import adoptions, arguments, cgroups, escrows, inheritances, shields, shims, upgrades
from moorage_runtime_runc.arguments import Arguments
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

UNPLACED = 71
"""Exit status of a monitor that cannot be in the cgroup it was made for (EX_OSERR in sysexits.h)."""

_CHECK, _SHORTEST_CHECK = 5.0, 0.05
"""Seconds between two looks whether anybody needs the monitor."""

_FLUSH = 1.0
"""Seconds that the last events get to be taken; they are on disk all the same."""

_SETTLE = 20.0
"""Seconds that commands of the runtime get which nobody waits for any more."""

_HOLD = 5.0
"""Seconds that all new calls may be held up so that we can give way between two commands of the runtime."""

_LATER = (
    "concurrent.futures.thread",
    "moorage_runtime_runc.cgroup1_stats",
    "moorage_runtime_runc.cgroup2_stats",
    "tomllib",
)
"""Modules that others import when they need them. By then the package may have been replaced by another version."""

_IDLE = {"Wait", "Upgrade"}
"""Calls that may be open then."""


class Monitor:
    """Everything the process has, put together on a running loop."""

    def __init__(self, told: Arguments, left: Inheritance) -> None:
        self._arguments = told
        self._inheritance = left
        self._spawner = Spawner(files=self._inheritance.files)
        self._spawner.raise_limit()
        self._reaper = Reaper()
        self._ooms = Watcher()
        self._journal = Journal(told.state / "events")
        self._publisher = Publisher(self._journal, told.events)
        self._index = Index(told.state / "tasks")
        self._deposits = Deposits(self._reaper.told)
        host = Host(self._reaper, self._spawner, told.state, told.relay, self._deposits, binary=told.binary)
        self._tasks = Tasks(host, self._publisher, self._index, self._ooms)
        self._sandboxes = Sandboxes(Index(told.state / "sandboxes"))
        self._stop = asyncio.Event()
        self._giving_way = False
        self._namespaces: dict[str, Path] = {}
        own = {
            "Listen": Method(bytes, self._listen, bytes),
            "Info": Method(bytes, self._info, bytes),
            "Upgrade": Method(bytes, self._upgrade, bytes),
            **LogService(self._tasks).methods(),
        }
        services = {
            **TaskService(self._tasks, self._asked_to_leave).services(),
            **SandboxService(self._sandboxes).services(),
        }
        self._server = servers.Server({**services, shims.MONITOR: own})

    async def run(self) -> Inheritance | None:
        """Serve until told to stop, or until nobody needs the monitor any more; what is left if it is to give way."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._reaper.start()
        await adoptions.adopt_all(self._tasks, self._index, self._inheritance)
        self._sandboxes.adopt()
        gc.collect()
        gc.freeze()
        async with self._publishing():
            await self._serve()
            await self._until_useless()
            left = None
            if self._giving_way:
                left = await self._hand_over()
            else:
                await self._wind_up()
        self._deposits.close()
        await self._tasks.close()
        self._ooms.close()
        self._reaper.close()
        self._journal.close()
        await _end_all()
        return replace(left, held=inheritances.grouped(self._deposits.held)) if left else None

    async def _serve(self) -> None:
        left = self._inheritance
        path = escrows.beside(self._arguments.socket)
        self._deposits.serve(socket.socket(fileno=left.escrow) if left.escrow >= 0 else escrows.listen(path))
        if left.server.listeners:
            await self._server.take_over(left.server)
            self._namespaces = {metadata[0][1]: path for path, _, metadata in left.server.listeners if metadata}
        else:
            await self._server.serve(self._arguments.socket)
        log.info("serving %d containers", len(self._tasks))
        if self._arguments.announce:
            os.dup2(2, 1)

    async def _wind_up(self) -> None:
        await self._server.close()
        await shields.settled(_SETTLE)
        await self._publisher.flush(_FLUSH)

    async def _hand_over(self) -> Inheritance:
        """All that our successor needs but what is held of processes, which is complete only when nothing runs."""
        while not self._quiet():  # something has ended meanwhile, and is to be told to the end
            await asyncio.sleep(0.005)
        self._reaper.close()
        return Inheritance(
            server=await self._server.hand_over(),
            escrow=self._deposits.hand_over(),
            files=self._spawner.files,
            upgrades=self._inheritance.upgrades + 1,
        )

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

    async def _info(self, request: bytes, call: Call) -> bytes:
        """Who we are, as JSON."""
        known = {"version": upgrades.VERSION, "pid": os.getpid(), "upgrades": self._inheritance.upgrades}
        return json.dumps({**known, "containers": len(self._tasks)}).encode()

    async def _upgrade(self, request: bytes, call: Call) -> bytes:
        """Give way to the code that is installed by now. Raises errors.Unavailable if the runtime has too much to do.

        Answered before it happens. Whoever is connected stays so, and calls wait until the successor is there.
        """
        self._server.hold()
        try:
            async with asyncio.timeout(_HOLD):
                while not self._quiet():
                    await asyncio.sleep(0.005)
        except TimeoutError:
            self._server.release()
            raise errors.Unavailable("node monitor: commands of the runtime are under way: unavailable") from None
        self._giving_way = True
        self._stop.set()
        return b""

    def _quiet(self) -> bool:
        """Whether no command of the runtime is under way, and everything that has ended was told."""
        return shields.quiet() and not self._tasks.telling and {call.method for call in self._server.calls} <= _IDLE

    def _asked_to_leave(self, now: bool) -> None:
        # A plain Shutdown follows every Delete; only who starts monitors says "now".
        if now:
            self._stop.set()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a monitor; returns its exit status."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    words = sys.argv[1:] if argv is None else argv
    try:
        told = arguments.parse(words)
    except errors.Error as error:
        log.error("%s", error)
        return 2
    for name in _LATER:
        importlib.import_module(name)
    told.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    left = _inherited(told)
    try:
        lock = left.lock if left.lock >= 0 else _lock(told.state)
    except BlockingIOError:
        log.info("another monitor serves %s", told.state)
        return LOCKED
    if not _settle_in(told, upgraded=left.lock >= 0):
        return UNPLACED
    while (after := asyncio.run(_run(told, left))) is not None:
        left = replace(after, lock=lock)
        try:
            upgrades.execute(words, left)
        except OSError as error:
            log.error("not replaced by a successor, going on: %s", error)
    return 0


async def _run(told: Arguments, left: Inheritance) -> Inheritance | None:
    return await Monitor(told, left).run()


async def _end_all() -> None:
    """What still runs ends here, before it is said what is left."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


def _inherited(told: Arguments) -> Inheritance:
    """What was left to us. One that cannot be read is none: records on disk are enough for most of it."""
    try:
        return inheritances.read(told.inherit) if told.inherit >= 0 else Inheritance()
    except errors.DataLoss:
        log.exception("terminals of an earlier monitor are lost")
        return Inheritance()


def _lock(state: Path) -> int:
    """Raises BlockingIOError if somebody else serves the directory."""
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def _settle_in(told: Arguments, *, upgraded: bool) -> bool:
    """What a process has to be to serve; much of it has outlived an upgrade. False if it cannot be where it must."""
    # Not for our own files, whose modes are explicit: runtimes inherit it and make directories in root file systems.
    os.umask(0o022)
    processes.close_from(3, on_exec_only=True)  # whatever came along with us, no container may see it
    processes.set_subreaper()
    processes.set_name("moorage-monitor")
    if upgraded:
        return True
    _adjust_oom_score()
    return _enter(told)


def _enter(told: Arguments) -> bool:
    """Go where we have to be, if that is told. Containers that are there already are not given up for it."""
    if not told.cgroup:
        return True
    try:
        cgroups.named(told.cgroup).enter()
    except (errors.Error, OSError) as error:
        log.error('cgroup "%s": not entered: %s', told.cgroup, error)
        return any(Index(told.state / "tasks").bundles())
    return True


def _adjust_oom_score() -> None:
    """One above whoever started us, as the shims of containerd (pkg/sys/oom_linux.go), if we are allowed to."""
    try:
        score = int(Path(f"/proc/{os.getppid()}/oom_score_adj").read_text("ascii"))
        Path("/proc/self/oom_score_adj").write_text(str(min(score + 1, 1000)), "ascii")
    except OSError as error:
        log.info("OOM score: not adjusted: %s", error)
