"""The daemon's side: making sure that one monitor runs, and finding containers behind it again."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from moorage_runtime_runc import escrows, inheritances, upgrades
from moorage_runtime_runc.custodies import Custody
from moorage_runtime_runc.escrows import Message
from moorage_runtime_runc.inheritances import Inheritance
from moorage_runtime_runc.orphans import Orphans
from moorage_runtime_runc.shims import LOCKED, MONITOR
from moorage_runtime_runc.spawns import environment
from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint, Runtime
from moorage_ttrpc import sockets

if TYPE_CHECKING:
    from moorage_sdk.events import Payload
    from moorage_sdk.tasks import Bundle

log = logging.getLogger(__name__)

NAMES = ("io.containerd.runc.v2", "io.containerd.moorage.v2")

_SHORT_FOLDER = Path("/run/moorage")
_MAX_LOG = 4 << 20

_DEATH = 2.0
"""Seconds between the end of an escrow and that of its monitor, at most."""

_ATTEMPTS, _PAUSE = 6, 10.0
"""How often a monitor that is busy is asked to give way, and after how many seconds again."""


@dataclass(frozen=True)
class Place:
    """Where a monitor lives: its private folder, the daemon's gRPC socket, and the socket for events."""

    state: Path
    address: str
    events: str
    arguments: Sequence[str] = field(default=())

    @property
    def socket(self) -> Path:
        """In the folder itself, or under a short name where that would be too long for a socket or its escrow's."""
        path = self.state / "monitor.sock"
        if len(os.fsencode(escrows.beside(path))) <= sockets.MAX_PATH:
            return path
        return _SHORT_FOLDER / hashlib.sha256(os.fsencode(self.state)).hexdigest()[:32]

    def command(self) -> list[str]:
        command = [sys.executable, *upgrades.PROGRAM]
        command += ["--state", str(self.state), "--socket", str(self.socket)]
        command += ["--address", self.address, "--events", self.events]
        return [*command, *self.arguments]


class MonitorRuntime(Runtime):
    """All containers behind one monitor, started when the first is needed and left running when the daemon stops.

    One that dies and leaves containers is replaced at once, by one that inherits what it had entrusted to us.
    """

    def __init__(self, place: Place, timeout: float = 15.0) -> None:
        self._place = place
        self._timeout = timeout
        self._starting = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._orphans = Orphans(self._ended)
        self._custody = Custody(self._lost, self._orphans.forget)
        self._replacing: asyncio.Task[None] | None = None
        self._modernising: asyncio.Task[None] | None = None
        self._closed = False
        self._reaped: tuple[str, ...] = ()

    def close(self) -> None:
        """Let go of the monitor and of what it has entrusted to us; it and its containers live on."""
        self._closed = True
        for task in (self._replacing, self._modernising):
            if task is not None:
                task.cancel()
        self._custody.close()
        self._orphans.close()

    @property
    def names(self) -> tuple[str, ...]:
        return NAMES

    async def start(self, bundle: Bundle, options: Payload | None = None) -> Endpoint:
        await self._ensure()
        return self._endpoint()

    async def find(self, bundle: Bundle) -> Endpoint | None:
        from moorage_runtime_runc import records  # for what most starts find nothing of

        if not Path(bundle.path, records.FILE).exists():
            return None
        await self._ensure()  # a new one takes over what an old one left; whether it knows the bundle it is asked next
        return self._endpoint()

    async def cleanup(self, bundle: Bundle) -> None:
        from moorage_runtime_runc import removals  # as above

        try:
            await self._ensure()
            await asyncio.to_thread(removals.through_monitor, self._place.socket, bundle)
        except errors.Error as error:
            if not isinstance(error, errors.NotFound):
                log.warning("task %s/%s: removed without the monitor: %s", bundle.namespace, bundle.id, error)
            await asyncio.to_thread(removals.by_hand, bundle)

    def _endpoint(self) -> Endpoint:
        return Endpoint(str(self._place.socket), 3, shared=True)

    async def _ensure(self) -> None:
        """Raises errors.Unavailable if no monitor answers in time."""
        async with self._starting:
            self._custody.catch_up()
            # One that holds its escrow open needs no question before each container.
            if self._custody.connected:
                return
            found = self._answers()
            if not found:
                await self._begin()
            self._take_custody()
            if found and not self._lives() and self._modernising is None:
                self._modernising = asyncio.get_running_loop().create_task(self._modernise())

    async def _begin(self) -> None:
        await self._buried()
        if self._custody.held:
            log.warning("node monitor: gone, and containers are left: starting another")
            self._inherit()
        self._spawn()
        try:
            async with asyncio.timeout(self._timeout):
                while not self._answers():
                    self._check()
                    await asyncio.sleep(0.01)
        except TimeoutError as error:
            reason = f"does not listen on {self._place.socket} within {self._timeout:g} s"
            raise errors.Unavailable(f"node monitor: {reason}", hint=self._hint()) from error

    def _take_custody(self) -> None:
        try:
            self._custody.connect(escrows.beside(self._place.socket))
        except errors.Unavailable as error:
            log.warning("node monitor: terminals and exit statuses will not survive its death: %s", error)
            return
        for name, (code, at) in self._orphans.ended.items():
            self._ended(name, code, at)

    def _lost(self) -> None:
        """The escrow has ended, and with it the monitor; or it gives way to a successor, whom we find there already."""
        if self._custody.held and not self._closed:
            self._replacing = asyncio.get_running_loop().create_task(self._replace())

    async def _replace(self) -> None:
        """Until there is one; a monitor that dies may still seem to listen."""
        while not self._custody.connected:
            try:
                await self._ensure()
            except errors.Error as error:
                log.error("%s", error)
            await asyncio.sleep(0.1)

    async def _buried(self) -> None:
        """The one that died is reaped. It closes its ends a moment before it can be."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DEATH):
                while self._lives():
                    await asyncio.sleep(0.005)

    def _inherit(self) -> None:
        """Where the kernel asks for it, become the parent of what is left, which is so once the dead one is reaped."""
        self._reaped = ()
        if self._process is not None and self._orphans.needed:
            self._reaped = tuple(self._orphans.adopt(self._process.pid, self._custody.held))

    def _ended(self, name: str, code: int, at: int) -> None:
        self._custody.tell(Message(escrows.ENDED, (name,), code, at))

    async def _modernise(self) -> None:
        """Ask a monitor that another daemon has started to become one of our version."""
        for _ in range(_ATTEMPTS):
            try:
                said = json.loads(await self._ask("Info"))
                if said["version"] == upgrades.VERSION:
                    return
                log.info("node monitor: of version %s, asked to become one of %s", said["version"], upgrades.VERSION)
                await self._ask("Upgrade")
                return
            except errors.Unimplemented:
                log.warning("node monitor: too old to be upgraded; a new one starts when it has no containers left")
                return
            except (errors.Error, ValueError, KeyError) as error:
                log.warning("node monitor: not upgraded yet: %s", error)
                await asyncio.sleep(_PAUSE)

    async def _ask(self, method: str) -> bytes:
        from moorage_ttrpc import blocking  # for this alone

        return await asyncio.to_thread(blocking.call, self._place.socket, MONITOR, method, b"")

    def _lives(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _answers(self) -> bool:
        return sockets.alive(self._place.socket)

    def _check(self) -> None:
        """One that finds another serving its folder leaves, and that other is what we wait for, or its end."""
        status = self._process.poll() if self._process is not None else None
        if status == LOCKED:
            self._spawn()  # the other does not answer, and may be about to leave
        elif status not in (None, 0):
            raise errors.Unavailable(f"node monitor: ended with status {status}", hint=self._hint())

    def _spawn(self) -> None:
        state = self._place.state
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._place.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        output = os.open(self._log(), flags, 0o600)
        held = self._custody.held
        will = inheritances.write(Inheritance(inheritances.grouped(held), self._reaped))
        try:
            if os.fstat(output).st_size > _MAX_LOG:
                os.ftruncate(output, 0)
            self._process = subprocess.Popen(
                [*self._place.command(), "--inherit", str(will)],
                cwd="/",
                env=environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(will, *held.values()),
            )
        except OSError as error:
            raise errors.Unavailable(f"node monitor: {error}") from error
        finally:
            os.close(will)
            os.close(output)

    def _log(self) -> Path:
        return self._place.state / "monitor.log"

    def _hint(self) -> str:
        return f"see {self._log()}"
