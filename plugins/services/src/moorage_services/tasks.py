"""``containerd.services.tasks.v1``.

Every call but List and Metrics looks up the container first, so that a container that is gone is the error, whatever is
left of its task (plugins/services/tasks/local.go in containerd v2.3).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Protocol

from google.protobuf.empty_pb2 import Empty

from moorage_api import filters
from moorage_api.convert import descriptors, mounts, payloads, timestamps
from moorage_api.messages import task_types, tasks, types
from moorage_sdk import errors
from moorage_sdk.containers import Container
from moorage_sdk.deprecations import Deprecations
from moorage_sdk.metadata import Metadata
from moorage_sdk.tasks import Creation, TaskManager
from moorage_services import deprecations, lookups, processes
from moorage_services.calls import Call, Handler
from moorage_services.checkpoints import Checkpoints
from moorage_services.drains import Drain

log = logging.getLogger(__name__)

STATS_TIMEOUT = 2.0
"""Seconds for one task's metrics (``io.containerd.timeout.metrics.shimstats``)."""


class Addressed(Protocol):
    container_id: str


class TaskService:
    name = "containerd.services.tasks.v1.Tasks"

    def __init__(
        self,
        metadata: Metadata,
        manager: TaskManager,
        checkpoints: Checkpoints,
        drain: Drain,
        register: Deprecations,
    ) -> None:
        self._metadata = metadata
        self._manager = manager
        self._checkpoints = checkpoints
        self._drain = drain
        self._deprecations = register

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "Create": self.create,
            "Start": self.start,
            "Delete": self.delete,
            "DeleteProcess": self.delete_process,
            "Get": self.get,
            "List": self.list,
            "Kill": self.kill,
            "Exec": self.exec,
            "ResizePty": self.resize,
            "CloseIO": self.close_io,
            "Pause": self.pause,
            "Resume": self.resume,
            "ListPids": self.list_pids,
            "Checkpoint": self.checkpoint,
            "Update": self.update,
            "Metrics": self.metrics,
            "Wait": self.wait,
        }

    async def create(self, request: tasks.CreateTaskRequest, call: Call) -> tasks.CreateTaskResponse:
        container = self._container(request, call)
        if container.spec is None:
            raise errors.FailedPrecondition(f'container "{container.id}": has no spec: failed precondition')
        runtime = request.runtime_path or container.runtime.name
        address, version = processes.task_api(request)
        deprecations.look_at_task(self._deprecations, request, address, version)
        checkpoint = descriptors.from_message(request.checkpoint) if request.HasField("checkpoint") else None
        async with self._checkpoints.unpacked(call.view(self._metadata), checkpoint) as unpacked:
            creation = Creation(
                id=container.id,
                runtime=runtime,
                spec=container.spec.value,
                rootfs=mounts.from_messages(request.rootfs),
                stdio=processes.stdio(request),
                options=processes.options(runtime, request.options) or container.runtime.options,
                checkpoint=checkpoint,
                sandbox=self._sandbox(container, call),
                address=address,
                version=version,
                unpacked=unpacked,
            )
            pid = await self._manager.create(call.namespace, creation)
        return tasks.CreateTaskResponse(container_id=container.id, pid=pid)

    async def start(self, request: tasks.StartRequest, call: Call) -> tasks.StartResponse:
        container = self._container(request, call)
        pid = await self._manager.start(call.namespace, container.id, request.exec_id)
        return tasks.StartResponse(pid=pid)

    async def delete(self, request: tasks.DeleteTaskRequest, call: Call) -> tasks.DeleteResponse:
        """The answer's ``id`` stays empty, which is how clients tell it from that of DeleteProcess."""
        container = self._container(request, call)
        return processes.deletion(await self._manager.delete(call.namespace, container.id))

    async def delete_process(self, request: tasks.DeleteProcessRequest, call: Call) -> tasks.DeleteResponse:
        container = self._container(request, call)
        exited = await self._manager.delete_process(call.namespace, container.id, request.exec_id)
        return processes.deletion(exited, request.exec_id)

    async def get(self, request: tasks.GetRequest, call: Call) -> tasks.GetResponse:
        container = self._container(request, call)
        process = await self._manager.get(call.namespace, container.id, request.exec_id)
        return tasks.GetResponse(process=processes.to_message(process))

    async def list(self, request: tasks.ListTasksRequest, call: Call) -> tasks.ListTasksResponse:
        """The field ``filter`` has no effect, as in containerd."""
        namespace = call.view(self._metadata).namespace
        return tasks.ListTasksResponse(tasks=map(processes.to_message, await self._manager.list(namespace)))

    async def kill(self, request: tasks.KillRequest, call: Call) -> Empty:
        container = self._container(request, call)
        await self._manager.kill(call.namespace, container.id, request.signal, exec_id=request.exec_id, all=request.all)
        return Empty()

    async def exec(self, request: tasks.ExecProcessRequest, call: Call) -> Empty:
        exec_id = processes.exec_id(request.exec_id)
        container = self._container(request, call)
        spec = payloads.from_message(request.spec)
        await self._manager.exec(call.namespace, container.id, exec_id, spec, processes.stdio(request))
        return Empty()

    async def resize(self, request: tasks.ResizePtyRequest, call: Call) -> Empty:
        container = self._container(request, call)
        await self._manager.resize(call.namespace, container.id, request.exec_id, request.width, request.height)
        return Empty()

    async def close_io(self, request: tasks.CloseIORequest, call: Call) -> Empty:
        container = self._container(request, call)
        await self._manager.close_io(call.namespace, container.id, request.exec_id, stdin=request.stdin)
        return Empty()

    async def pause(self, request: tasks.PauseTaskRequest, call: Call) -> Empty:
        await self._manager.pause(call.namespace, self._container(request, call).id)
        return Empty()

    async def resume(self, request: tasks.ResumeTaskRequest, call: Call) -> Empty:
        await self._manager.resume(call.namespace, self._container(request, call).id)
        return Empty()

    async def list_pids(self, request: tasks.ListPidsRequest, call: Call) -> tasks.ListPidsResponse:
        found = await self._manager.pids(call.namespace, self._container(request, call).id)
        return tasks.ListPidsResponse(
            processes=(task_types.ProcessInfo(pid=each.pid, info=payloads.to_optional(each.details)) for each in found)
        )

    async def checkpoint(self, request: tasks.CheckpointTaskRequest, call: Call) -> tasks.CheckpointTaskResponse:
        container = self._container(request, call)
        made = await self._checkpoints.make(self._manager, call.view(self._metadata), container, request.options)
        return tasks.CheckpointTaskResponse(descriptors=map(descriptors.to_message, made))

    async def update(self, request: tasks.UpdateTaskRequest, call: Call) -> Empty:
        container = self._container(request, call)
        resources = payloads.optional(request.resources)
        await self._manager.update(call.namespace, container.id, resources, dict(request.annotations))
        return Empty()

    async def metrics(self, request: tasks.MetricsRequest, call: Call) -> tasks.MetricsResponse:
        """A task that fails to tell is left out."""
        namespace, chosen = call.view(self._metadata).namespace, filters.parse(request.filters)
        ids = [process.container_id for process in await self._manager.list(namespace)]
        wanted = [id for id in ids if chosen.match(lookups.task(namespace, id))]
        found = await asyncio.gather(*(self._metric(namespace, id) for id in wanted))
        return tasks.MetricsResponse(metrics=(metric for metric in found if metric is not None))

    async def wait(self, request: tasks.WaitRequest, call: Call) -> tasks.WaitResponse:
        container = self._container(request, call)
        exited = await self._drain.wait(self._manager.wait(call.namespace, container.id, request.exec_id))
        return tasks.WaitResponse(exit_status=exited.status, exited_at=timestamps.to_message(exited.exited_at))

    def _sandbox(self, container: Container, call: Call) -> str:
        """The sandbox that the task must be created in. One without a record is of a client that knows no records."""
        if container.sandbox:
            try:
                return call.view(self._metadata).sandboxes.get(container.sandbox).id
            except errors.NotFound:
                log.info('container "%s": its sandbox "%s" has no record', container.id, container.sandbox)
        return ""

    def _container(self, request: Addressed, call: Call) -> Container:
        return call.view(self._metadata).containers.get(request.container_id)

    async def _metric(self, namespace: str, id: str) -> types.Metric | None:
        collected = time.time_ns()
        try:
            async with asyncio.timeout(STATS_TIMEOUT):
                stats = await self._manager.stats(namespace, id)
        except (errors.Error, TimeoutError) as error:
            if not isinstance(error, errors.NotFound):
                log.warning('metrics of task "%s" in namespace "%s": %s', id, namespace, error)
            return None
        return types.Metric(timestamp=timestamps.to_message(collected), id=id, data=payloads.to_message(stats))
