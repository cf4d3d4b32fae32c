"""One task as the manager holds it: its bundle, its carrier, the way to its shim, and who waits for its processes."""

from __future__ import annotations

import asyncio
from typing import Any

from moorage_api.convert import timestamps
from moorage_sdk import errors
from moorage_sdk.tasks import Bundle, Exit, Process, Status, Stdio
from moorage_tasks_shim.carriers import Carrier
from moorage_tasks_shim.logs import ShimLog
from moorage_tasks_shim.records import Record
from moorage_tasks_shim.shims import Link


class Task:
    """``link`` is None while the shim is looked for; ``ended`` is set when it is known to be dead."""

    def __init__(self, bundle: Bundle, record: Record, carrier: Carrier, log: ShimLog | None = None) -> None:
        self.bundle = bundle
        self.record = record
        self.carrier = carrier
        self.log = log
        self.link: Link | None = None
        self.ended: Exit | None = None
        self.deleting = asyncio.Lock()
        self._waits: dict[str, asyncio.Task[Exit]] = {}
        self._changed = asyncio.Event()

    @property
    def key(self) -> tuple[str, str]:
        return self.bundle.namespace, self.bundle.id

    @property
    def subject(self) -> str:
        return f'task "{self.bundle.id}" in namespace "{self.bundle.namespace}"'

    def attach(self, link: Link | None) -> None:
        """The shim is at the other end of ``link`` from now on, or out of reach for a while."""
        self.link = link
        self._notify()

    def end(self, exited: Exit) -> None:
        """The shim is dead for good; who waited for init gets ``exited``, everybody else errors.NotFound."""
        self.ended = exited
        self._notify()

    async def call(self, method: str, timeout: float | None = None, **fields: Any) -> Any:
        """Ask the shim. Raises errors.NotFound once it is dead, errors.Unavailable while it cannot be reached."""
        if self.ended:
            raise self.gone()
        if self.link is None:
            raise errors.Unavailable(f"{self.subject}: its shim is being looked for: unavailable")
        return await self.link.call(self.bundle.namespace, method, timeout, id=self.bundle.id, **fields)

    async def ask(self, method: str, **fields: Any) -> Any:
        """Ask something that may be asked twice: a lost connection is waited out."""
        while True:
            link = self.link
            try:
                return await self.call(method, **fields)
            except errors.Unavailable:
                if link is not None and not link.lost:
                    raise
            while self.link is link and self.ended is None:
                await self._changed.wait()

    async def state(self, exec_id: str, timeout: float) -> Process:
        """Raises errors.DeadlineExceeded besides what ``call`` raises."""
        try:
            async with asyncio.timeout(timeout):
                said = await self.ask("State", exec_id=exec_id)
        except TimeoutError as error:
            raise errors.DeadlineExceeded(f"{self.subject}: state not told within {timeout:g} s") from error
        return Process(
            container_id=self.bundle.id,
            exec_id=exec_id,
            pid=said.pid,
            status=Status(said.status) if said.status in set(Status) else Status.UNKNOWN,
            stdio=Stdio(said.stdin, said.stdout, said.stderr, said.terminal),
            exit_status=said.exit_status,
            exited_at=timestamps.from_message(said.exited_at) if said.HasField("exited_at") else 0,
        )

    def unknown(self) -> Process:
        """What is said of a task whose shim does not answer."""
        return Process(self.bundle.id, "", 0, Status.UNKNOWN, self.record.stdio)

    async def wait(self, exec_id: str) -> Exit:
        """All that wait for one process share one call to the shim: ttrpc cannot take back a call, so that callers that
        come and go would otherwise pile up there."""
        running = self._waits.get(exec_id)
        if running is None or (running.done() and (running.cancelled() or running.exception() is not None)):
            running = asyncio.get_running_loop().create_task(self._wait(exec_id))
            running.add_done_callback(_seen)
            self._waits[exec_id] = running
        return await asyncio.shield(running)

    def forget(self, exec_id: str) -> None:
        """The process was deleted, its id may be used again."""
        self._waits.pop(exec_id, None)

    def gone(self) -> errors.NotFound:
        return errors.NotFound(f"{self.subject}: not found")

    async def _wait(self, exec_id: str) -> Exit:
        try:
            said = await self.ask("Wait", exec_id=exec_id)
        except errors.NotFound:
            if self.ended and not exec_id:
                return self.ended
            raise
        return Exit(said.exit_status, timestamps.from_message(said.exited_at), id=exec_id or self.bundle.id)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _seen(waiting: asyncio.Task[Exit]) -> None:
    """Every caller may have gone by the time the answer comes; then nobody else looks at its error."""
    if not waiting.cancelled():
        waiting.exception()
