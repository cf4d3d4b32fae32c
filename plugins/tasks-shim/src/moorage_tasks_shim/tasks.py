"""One task as the manager holds it, and who waits for its processes."""

from __future__ import annotations

import asyncio
from typing import Any

from moorage_api.convert import timestamps
from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle, Exit, Process, Status, Stdio
from moorage_tasks_shim.carriers import Carrier
from moorage_tasks_shim.logs import ShimLog
from moorage_tasks_shim.records import Record
from moorage_tasks_shim.residents import Resident, Waits
from moorage_tasks_shim.shims import Link


class Task(Resident):
    """A container that a shim carries."""

    kind = "task"
    orphans = "io.containerd.runc.v2"

    def __init__(self, bundle: Bundle, record: Record, carrier: Carrier, log: ShimLog | None = None) -> None:
        super().__init__(bundle, record, carrier, log)
        self.deleting = asyncio.Lock()
        self._waits = Waits()

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
        return await self._waits.share(exec_id, lambda: self._wait(exec_id))

    def forget(self, exec_id: str) -> None:
        """The process was deleted, its id may be used again."""
        self._waits.forget(exec_id)

    async def find(self) -> Endpoint | None:
        return await self.carrier.find(self.bundle, self.record)

    async def greet(self, link: Link) -> None:
        await link.call(self.bundle.namespace, "State", id=self.bundle.id)

    async def clean_up(self) -> Exit:
        return await self.carrier.cleanup(self.bundle)

    async def _call(self, link: Link, method: str, timeout: float | None, fields: dict[str, Any]) -> Any:
        return await link.call(self.bundle.namespace, method, timeout, id=self.bundle.id, **fields)

    async def _wait(self, exec_id: str) -> Exit:
        try:
            said = await self.ask("Wait", exec_id=exec_id)
        except errors.NotFound:
            if self.ended and not exec_id:
                return self.ended
            raise
        return Exit(said.exit_status, timestamps.from_message(said.exited_at), id=exec_id or self.bundle.id)
