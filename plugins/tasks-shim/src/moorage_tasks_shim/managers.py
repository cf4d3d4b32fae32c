"""The slot ``tasks`` over shims."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Mapping

from moorage_api.convert import payloads, timestamps
from moorage_api.messages import types
from moorage_sdk import errors, identifiers
from moorage_sdk.events import Payload
from moorage_sdk.namespaces import required
from moorage_sdk.tasks import Creation, Exit, Pid, Process, Stdio, TaskManager
from moorage_tasks_shim.creations import Creator
from moorage_tasks_shim.recoveries import Recovery
from moorage_tasks_shim.registries import Registry
from moorage_tasks_shim.tasks import Task


class ShimTaskManager(TaskManager):
    """Looks up the task and passes the call on; ``creator`` makes new ones, ``recovery`` brings back old ones.

    ``registry`` and ``recovery`` are there for the controller of sandboxes, which lives with the same shims.
    """

    def __init__(
        self, registry: Registry[Task], creator: Creator, recovery: Recovery[Task], state_timeout: float
    ) -> None:
        self.registry = registry
        self._creator = creator
        self.recovery = recovery
        self._state_timeout = state_timeout

    async def create(self, namespace: str, creation: Creation) -> int:
        required(namespace)
        identifiers.validate(creation.id, "task id")
        await self.recovery.loaded()
        return await self._creator.create(namespace, creation)

    async def start(self, namespace: str, id: str, exec_id: str = "") -> int:
        return int((await (await self._task(namespace, id)).call("Start", exec_id=exec_id)).pid)

    async def delete(self, namespace: str, id: str) -> Exit:
        task = await self._task(namespace, id)
        # To its end, also when the caller has gone: what the shim has deleted must not stay here.
        return await self.registry.finish(self._delete(task))

    async def delete_process(self, namespace: str, id: str, exec_id: str) -> Exit:
        task = await self._task(namespace, id)
        if not exec_id:  # which would mean init to the shim
            raise errors.InvalidArgument("exec id must not be empty: invalid argument")
        said = await task.call("Delete", exec_id=exec_id)
        task.forget(exec_id)
        return Exit(said.exit_status, timestamps.from_message(said.exited_at), said.pid, exec_id)

    async def exec(self, namespace: str, id: str, exec_id: str, spec: Payload, stdio: Stdio) -> None:
        identifiers.validate(exec_id, "exec id")
        task = await self._task(namespace, id)
        await task.call(
            "Exec",
            exec_id=exec_id,
            terminal=stdio.terminal,
            stdin=stdio.stdin,
            stdout=stdio.stdout,
            stderr=stdio.stderr,
            spec=payloads.to_message(spec),
        )

    async def get(self, namespace: str, id: str, exec_id: str = "") -> Process:
        return await (await self._task(namespace, id)).state(exec_id, self._state_timeout)

    async def list(self, namespace: str) -> builtins.list[Process]:
        required(namespace)
        await self.recovery.loaded()
        states = await asyncio.gather(*map(self._listed, self.registry.of(namespace)))
        return [state for state in states if state is not None]

    async def kill(self, namespace: str, id: str, signal: int, *, exec_id: str = "", all: bool = False) -> None:
        await (await self._task(namespace, id)).call("Kill", exec_id=exec_id, signal=signal, all=all)

    async def wait(self, namespace: str, id: str, exec_id: str = "") -> Exit:
        return await (await self._task(namespace, id)).wait(exec_id)

    async def pause(self, namespace: str, id: str) -> None:
        await (await self._task(namespace, id)).call("Pause")

    async def resume(self, namespace: str, id: str) -> None:
        await (await self._task(namespace, id)).call("Resume")

    async def resize(self, namespace: str, id: str, exec_id: str, width: int, height: int) -> None:
        await (await self._task(namespace, id)).call("ResizePty", exec_id=exec_id, width=width, height=height)

    async def close_io(self, namespace: str, id: str, exec_id: str, *, stdin: bool) -> None:
        task = await self._task(namespace, id)
        if stdin:
            await task.call("CloseIO", exec_id=exec_id, stdin=True)
        elif exec_id:
            await task.state(exec_id, self._state_timeout)  # there may be no such process

    async def pids(self, namespace: str, id: str) -> builtins.list[Pid]:
        said = await (await self._task(namespace, id)).ask("Pids")
        return [
            Pid(each.pid, payloads.from_message(each.info) if each.HasField("info") else None)
            for each in said.processes
        ]

    async def update(
        self, namespace: str, id: str, resources: Payload | None, annotations: Mapping[str, str] | None = None
    ) -> None:
        task = await self._task(namespace, id)
        await task.call("Update", resources=payloads.to_optional(resources), annotations=dict(annotations or {}))

    async def stats(self, namespace: str, id: str) -> Payload:
        return payloads.from_message((await (await self._task(namespace, id)).ask("Stats")).stats)

    async def checkpoint(self, namespace: str, id: str, path: str, options: Payload | None) -> None:
        await (await self._task(namespace, id)).call("Checkpoint", path=path, options=payloads.to_optional(options))

    async def info(self, options: Payload) -> Payload:
        """What a runtime says of itself: ``containerd.types.RuntimeRequest`` in, ``RuntimeInfo`` out.

        Raises errors.InvalidArgument for another request, errors.NotFound and errors.Unavailable about the binary.
        """
        request = payloads.decode(options)
        if not isinstance(request, types.RuntimeRequest):
            raise errors.InvalidArgument(f'request of type "{options.type_url}": unknown: invalid argument')
        asked = request.options.SerializeToString() if request.HasField("options") else b""
        said = await self.registry.carriers.binary(request.runtime_path).info(asked)
        return Payload(types.RuntimeInfo.DESCRIPTOR.full_name, said)

    async def _delete(self, task: Task) -> Exit:
        async with task.deleting:
            missing: errors.NotFound | None = None
            try:
                said = await task.call("Delete")
            except errors.NotFound as error:
                # The shim has lost it, for instance to a delete whose answer was cut off. What is left goes, too.
                missing = error
            if not task.removed:  # by a call that came a moment before
                await self.registry.remove(task)
        if missing:
            raise missing
        return Exit(said.exit_status, timestamps.from_message(said.exited_at), said.pid, task.bundle.id)

    async def _task(self, namespace: str, id: str) -> Task:
        required(namespace)
        await self.recovery.loaded()
        return self.registry.get(namespace, id)

    async def _listed(self, task: Task) -> Process | None:
        try:
            return await task.state("", self._state_timeout)
        except errors.NotFound:
            return None  # deleted meanwhile
        except errors.Error:
            return task.unknown()
