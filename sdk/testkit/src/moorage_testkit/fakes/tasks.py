"""A task manager without processes: states and errors of the slot ``tasks``, and exits when the test says so."""

from __future__ import annotations

import asyncio
import builtins
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.tasks import Creation, Exit, Pid, Process, Status, Stdio, TaskManager

STATS = Payload("io.containerd.cgroups.v2.Metrics", b"")


@dataclass
class _Known:
    process: Process
    creation: Creation | None = None
    exited: asyncio.Future[Exit] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class MemoryTasks(TaskManager):
    """``processes`` by namespace, id and exec id. ``told`` are calls that change nothing here, with their arguments."""

    def __init__(self) -> None:
        self.processes: dict[tuple[str, str, str], _Known] = {}
        self.told: list[tuple[Any, ...]] = []
        self.failing_stats: set[str] = set()
        self._pids = itertools.count(100)

    def creation(self, namespace: str, id: str) -> Creation:
        """What the task was created from."""
        made = self._known(namespace, id).creation
        assert made is not None
        return made

    def exit(self, namespace: str, id: str, exec_id: str = "", status: int = 0) -> None:
        """Let a process end."""
        known, now = self._known(namespace, id, exec_id), time.time_ns()
        known.process = replace(known.process, status=Status.STOPPED, exit_status=status, exited_at=now)
        known.exited.set_result(Exit(status, now, known.process.pid, exec_id or id))

    async def create(self, namespace: str, creation: Creation) -> int:
        if (namespace, creation.id, "") in self.processes:
            raise errors.AlreadyExists(f'task "{creation.id}": already exists')
        process = Process(creation.id, "", next(self._pids), Status.CREATED, creation.stdio)
        self.processes[namespace, creation.id, ""] = _Known(process, creation)
        return process.pid

    async def start(self, namespace: str, id: str, exec_id: str = "") -> int:
        known = self._known(namespace, id, exec_id)
        if known.process.status != Status.CREATED:
            raise errors.FailedPrecondition(f'process "{exec_id or id}": was started before: failed precondition')
        known.process = replace(known.process, status=Status.RUNNING)
        return known.process.pid

    async def delete(self, namespace: str, id: str) -> Exit:
        return self._delete(namespace, id, "")

    async def delete_process(self, namespace: str, id: str, exec_id: str) -> Exit:
        self._known(namespace, id)
        if not exec_id:
            raise errors.InvalidArgument("exec id must not be empty: invalid argument")
        return self._delete(namespace, id, exec_id)

    async def exec(self, namespace: str, id: str, exec_id: str, spec: Payload, stdio: Stdio) -> None:
        self._known(namespace, id)
        if (namespace, id, exec_id) in self.processes:
            raise errors.AlreadyExists(f'exec "{exec_id}": already exists')
        process = Process(id, exec_id, next(self._pids), Status.CREATED, stdio)
        self.processes[namespace, id, exec_id] = _Known(process)
        self.told.append(("exec", id, exec_id, spec))

    async def get(self, namespace: str, id: str, exec_id: str = "") -> Process:
        return self._known(namespace, id, exec_id).process

    async def list(self, namespace: str) -> builtins.list[Process]:
        keys = sorted(key for key in self.processes if key[0] == namespace and not key[2])
        return [self.processes[key].process for key in keys]

    async def kill(self, namespace: str, id: str, signal: int, *, exec_id: str = "", all: bool = False) -> None:
        if self._known(namespace, id, exec_id).exited.done():
            raise errors.NotFound("process already finished: not found")
        self.told.append(("kill", id, exec_id, signal, all))
        if signal == 9:
            self.exit(namespace, id, exec_id, 137)

    async def wait(self, namespace: str, id: str, exec_id: str = "") -> Exit:
        return await asyncio.shield(self._known(namespace, id, exec_id).exited)

    async def pause(self, namespace: str, id: str) -> None:
        self._turn(namespace, id, Status.PAUSED)

    async def resume(self, namespace: str, id: str) -> None:
        self._turn(namespace, id, Status.RUNNING)

    async def resize(self, namespace: str, id: str, exec_id: str, width: int, height: int) -> None:
        self._known(namespace, id, exec_id)
        self.told.append(("resize", id, exec_id, width, height))

    async def close_io(self, namespace: str, id: str, exec_id: str, *, stdin: bool) -> None:
        self._known(namespace, id, exec_id)
        self.told.append(("close_io", id, exec_id, stdin))

    async def pids(self, namespace: str, id: str) -> builtins.list[Pid]:
        self._known(namespace, id)
        return [
            Pid(known.process.pid, Payload("containerd.runc.v1.ProcessDetails", b"") if key[2] else None)
            for key, known in self.processes.items()
            if key[:2] == (namespace, id)
        ]

    async def update(
        self, namespace: str, id: str, resources: Payload | None, annotations: Mapping[str, str] | None = None
    ) -> None:
        self._known(namespace, id)
        self.told.append(("update", id, resources, dict(annotations or {})))

    async def stats(self, namespace: str, id: str) -> Payload:
        self._known(namespace, id)
        if id in self.failing_stats:
            raise errors.Unavailable(f'task "{id}": no statistics: unavailable')
        return STATS

    async def checkpoint(self, namespace: str, id: str, path: str, options: Payload | None) -> None:
        self._known(namespace, id)
        self.told.append(("checkpoint", id, path, options))

    def _known(self, namespace: str, id: str, exec_id: str = "") -> _Known:
        known = self.processes.get((namespace, id, exec_id))
        if known is None:
            raise errors.NotFound(f'task "{id}" in namespace "{namespace}": not found')
        return known

    def _delete(self, namespace: str, id: str, exec_id: str) -> Exit:
        known = self._known(namespace, id, exec_id)
        if known.process.status not in (Status.CREATED, Status.STOPPED):
            raise errors.FailedPrecondition("cannot delete a running process: failed precondition")
        del self.processes[namespace, id, exec_id]
        return known.exited.result() if known.exited.done() else Exit(0, 0, known.process.pid, exec_id or id)

    def _turn(self, namespace: str, id: str, status: Status) -> None:
        known = self._known(namespace, id)
        known.process = replace(known.process, status=status)
