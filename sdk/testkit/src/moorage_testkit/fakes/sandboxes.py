"""A sandbox controller that runs nothing: states and errors of the slot, and exits when the test says so."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from moorage_sdk import errors, platforms
from moorage_sdk.events import Payload
from moorage_sdk.platforms import Platform
from moorage_sdk.sandboxes import Creation, Instance, Metric, Sandbox, SandboxController, Status
from moorage_sdk.tasks import Exit

READY, NOT_READY = "SANDBOX_READY", "SANDBOX_NOTREADY"
"""The words of containerd's own controllers."""


@dataclass
class _Known:
    creation: Creation
    status: Status
    exited: asyncio.Future[Exit] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class MemorySandboxController(SandboxController):
    """``known`` by namespace and id. ``told`` are calls that change nothing here, with their arguments."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], _Known] = {}
        self.told: list[tuple[Any, ...]] = []
        self._pids = itertools.count(100)

    def creation(self, namespace: str, id: str) -> Creation:
        """What the sandbox was created from."""
        return self._get(namespace, id).creation

    def exit(self, namespace: str, id: str, status: int = 0) -> None:
        """Let it end."""
        known, now = self._get(namespace, id), time.time_ns()
        known.status = replace(known.status, state=NOT_READY, exited_at=now)
        known.exited.set_result(Exit(status, now, known.status.pid, id))

    async def create(self, namespace: str, creation: Creation) -> None:
        id = creation.sandbox.id
        if (namespace, id) in self.known:
            raise errors.AlreadyExists(f'sandbox "{id}": already exists')
        self.known[namespace, id] = _Known(creation, Status(id, state=NOT_READY, created_at=time.time_ns()))

    async def start(self, namespace: str, id: str) -> Instance:
        known = self._get(namespace, id)
        if known.status.state == READY or known.exited.done():
            raise errors.FailedPrecondition(f'sandbox "{id}": was started before: failed precondition')
        known.status = replace(known.status, state=READY, pid=next(self._pids))
        return Instance(id, known.status.pid, known.status.created_at, "ttrpc+unix:///memory", 3, {"memory": "yes"})

    async def platform(self, namespace: str, id: str) -> Platform:
        self._get(namespace, id)
        return platforms.host()

    async def stop(self, namespace: str, id: str, timeout: float = 0.0) -> None:
        known = self.known.get((namespace, id))
        self.told.append(("stop", id, timeout))
        if known is not None and not known.exited.done():
            self.exit(namespace, id, 137)

    async def wait(self, namespace: str, id: str) -> Exit:
        return await asyncio.shield(self._get(namespace, id).exited)

    async def status(self, namespace: str, id: str, *, verbose: bool = False) -> Status:
        known = self.known.get((namespace, id))
        if known is None:
            return Status(id, exited_at=time.time_ns())
        return replace(known.status, info={"memory": "yes"} if verbose else {})

    async def shutdown(self, namespace: str, id: str) -> None:
        known = self._get(namespace, id)
        if not known.exited.done():
            self.exit(namespace, id, 137)
        del self.known[namespace, id]

    async def metrics(self, namespace: str, id: str) -> Metric | None:
        self._get(namespace, id)
        return Metric(id, time.time_ns(), Payload("io.containerd.cgroups.v2.Metrics", b""))

    async def update(self, namespace: str, id: str, sandbox: Sandbox, paths: Sequence[str] = ()) -> None:
        self._get(namespace, id)
        self.told.append(("update", id, sandbox, tuple(paths)))

    def _get(self, namespace: str, id: str) -> _Known:
        if (namespace, id) not in self.known:
            raise errors.NotFound(f'sandbox "{id}" in namespace "{namespace}": not found')
        return self.known[namespace, id]
