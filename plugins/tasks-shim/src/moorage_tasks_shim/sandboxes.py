"""One sandbox as the controller holds it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from moorage_api.convert import timestamps
from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle, Exit
from moorage_tasks_shim.carriers import UNKNOWN_STATUS, Carrier
from moorage_tasks_shim.logs import ShimLog
from moorage_tasks_shim.records import Record
from moorage_tasks_shim.residents import Resident, Waits
from moorage_tasks_shim.shims import Link


class Sandbox(Resident):
    """What a shim runs for several containers, or keeps for them."""

    kind = "sandbox"

    def __init__(self, bundle: Bundle, record: Record, carrier: Carrier, log: ShimLog | None = None) -> None:
        super().__init__(bundle, record, carrier, log)
        self.ending = asyncio.Lock()
        self._waits = Waits()

    @property
    def address(self) -> str:
        """Where its containers are created, in the form that clients hand on (core/runtime/v2/shim.go, Endpoint)."""
        found = self.record.endpoint
        return f"{found.protocol}+unix://{found.path}" if found else ""

    @property
    def version(self) -> int:
        return self.record.endpoint.version if self.record.endpoint else 0

    async def wait(self) -> Exit:
        """Raises errors.Error when the shim is dead, for then nobody knows how the sandbox ended."""
        return await self._waits.share("", self._wait)

    async def find(self) -> Endpoint | None:
        # A plugin's shim may have been replaced meanwhile, and the plugin finds only tasks again.
        return self.record.endpoint if self.carrier.binary else await self.carrier.start(self.bundle, None)

    async def greet(self, link: Link) -> None:
        # Not every shim has the call, and one that answers so lives.
        with contextlib.suppress(errors.Unimplemented):
            await link.call_sandbox(self.bundle.namespace, "PingSandbox", sandbox_id=self.bundle.id)

    async def clean_up(self) -> Exit:
        # A plugin would take the id for that of a container, and kill what may only be its namesake.
        if self.carrier.binary:
            return await self.carrier.cleanup(self.bundle)
        return Exit(UNKNOWN_STATUS, time.time_ns(), id=self.bundle.id)

    async def _call(self, link: Link, method: str, timeout: float | None, fields: dict[str, Any]) -> Any:
        return await link.call_sandbox(self.bundle.namespace, method, timeout, sandbox_id=self.bundle.id, **fields)

    async def _wait(self) -> Exit:
        try:
            said = await self.ask("WaitSandbox")
        except errors.NotFound as error:
            if self.ended is None:
                raise
            raise errors.Error(f"{self.subject}: its shim is dead") from error
        return Exit(said.exit_status, timestamps.from_message(said.exited_at), id=self.bundle.id)
