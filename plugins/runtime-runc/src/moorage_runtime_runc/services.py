"""containerd's Task API, versions 2 and 3, over the containers of this node.

The two versions have the same messages under two package names, field by field (a test holds it), so one set of
classes and handlers serves both.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from moorage_api.convert import mounts, timestamps, typeurls
from moorage_api.messages import runc_options, shim_v3, task_types
from moorage_runtime_runc import execs, options, shields, specs, stats
from moorage_runtime_runc.containers import Container
from moorage_runtime_runc.creations import Creation
from moorage_runtime_runc.processes import Process
from moorage_runtime_runc.shims import NAMESPACE, VERSIONS
from moorage_runtime_runc.tasks import Tasks
from moorage_sdk import errors
from moorage_sdk.tasks import Stdio
from moorage_ttrpc.methods import Call, Method, Services


class TaskService:
    """One method for each of the API's, taking the request and the container that it is about."""

    def __init__(self, tasks: Tasks, shutdown: Callable[[bool], None]) -> None:
        self._tasks = tasks
        self._shutdown = shutdown

    def services(self) -> Services:
        """What a ttrpc server serves."""
        methods = {
            "State": self._method(shim_v3.StateRequest, self._state),
            "Create": Method(shim_v3.CreateTaskRequest.FromString, self._create, _encode),
            "Start": self._method(shim_v3.StartRequest, self._start),
            "Delete": self._method(shim_v3.DeleteRequest, self._delete),
            "Pids": self._method(shim_v3.PidsRequest, self._pids),
            "Pause": self._method(shim_v3.PauseRequest, self._pause),
            "Resume": self._method(shim_v3.ResumeRequest, self._resume),
            "Checkpoint": self._method(shim_v3.CheckpointTaskRequest, self._checkpoint),
            "Kill": self._method(shim_v3.KillRequest, self._kill),
            "Exec": self._method(shim_v3.ExecProcessRequest, self._exec),
            "ResizePty": self._method(shim_v3.ResizePtyRequest, self._resize),
            "CloseIO": self._method(shim_v3.CloseIORequest, self._close_io),
            "Update": self._method(shim_v3.UpdateTaskRequest, self._update),
            "Wait": self._method(shim_v3.WaitRequest, self._wait),
            "Stats": self._method(shim_v3.StatsRequest, self._stats),
            "Connect": Method(shim_v3.ConnectRequest.FromString, self._connect, _encode),
            "Shutdown": Method(shim_v3.ShutdownRequest.FromString, self._shut_down, _encode),
        }
        return dict.fromkeys(VERSIONS, methods)

    def _method(self, request: type[Message], handler: Callable[[Container, Any], Awaitable[Message]]) -> Method:
        async def handle(message: Any, call: Call) -> Message:
            return await handler(self._tasks.get(call.value(NAMESPACE), message.id), message)

        return Method(request.FromString, handle, _encode)

    async def _create(self, request: shim_v3.CreateTaskRequest, call: Call) -> Message:
        creation = Creation(
            request.id,
            Path(request.bundle),
            mounts.from_messages(request.rootfs),
            Stdio(request.stdin, request.stdout, request.stderr, request.terminal),
            request.checkpoint,
            request.parent_checkpoint,
        )
        settings = options.settings(request.options, self._tasks.host.binary)
        container = await self._tasks.create(call.value(NAMESPACE), creation, settings)
        return shim_v3.CreateTaskResponse(pid=container.init.pid)

    async def _start(self, container: Container, request: shim_v3.StartRequest) -> Message:
        return shim_v3.StartResponse(pid=await self._tasks.start(container, request.exec_id))

    async def _delete(self, container: Container, request: shim_v3.DeleteRequest) -> Message:
        process = await self._tasks.delete(container, request.exec_id)
        return shim_v3.DeleteResponse(
            pid=process.pid, exit_status=process.exit_status, exited_at=timestamps.to_message(process.exited_at)
        )

    async def _exec(self, container: Container, request: shim_v3.ExecProcessRequest) -> Message:
        stdio = Stdio(request.stdin, request.stdout, request.stderr, request.terminal)
        execs.add(container, request.exec_id, stdio, specs.process(request.spec.value))
        return Empty()

    async def _state(self, container: Container, request: shim_v3.StateRequest) -> Message:
        process = container.process(request.exec_id)
        return shim_v3.StateResponse(
            id=process.id,
            bundle=str(container.bundle),
            pid=process.pid,
            status=int(container.status(process)),
            stdin=process.stdio.stdin,
            stdout=process.stdio.stdout,
            stderr=process.stdio.stderr,
            terminal=process.stdio.terminal,
            exit_status=process.exit_status,
            exited_at=timestamps.to_message(process.exited_at),
            exec_id=request.exec_id,
        )

    async def _wait(self, container: Container, request: shim_v3.WaitRequest) -> Message:
        process = container.process(request.exec_id)
        await process.wait()
        return shim_v3.WaitResponse(exit_status=process.exit_status, exited_at=timestamps.to_message(process.exited_at))

    async def _kill(self, container: Container, request: shim_v3.KillRequest) -> Message:
        process = container.process(request.exec_id)
        if request.exec_id:
            process.signal(request.signal)
        else:
            await shields.to_the_end(container.kill(request.signal, all=request.all))
        return Empty()

    async def _pids(self, container: Container, request: shim_v3.PidsRequest) -> Message:
        named = {process.pid: process for process in container.execs.values()}
        return shim_v3.PidsResponse(processes=[_process_info(pid, named.get(pid)) for pid in container.pids()])

    async def _pause(self, container: Container, request: shim_v3.PauseRequest) -> Message:
        await shields.to_the_end(container.pause())
        return Empty()

    async def _resume(self, container: Container, request: shim_v3.ResumeRequest) -> Message:
        await shields.to_the_end(container.resume())
        return Empty()

    async def _checkpoint(self, container: Container, request: shim_v3.CheckpointTaskRequest) -> Message:
        flags, work = options.checkpoint_flags(request.options)
        await shields.to_the_end(container.checkpoint(request.path, work, flags))
        return Empty()

    async def _resize(self, container: Container, request: shim_v3.ResizePtyRequest) -> Message:
        container.process(request.exec_id).resize(request.width, request.height)
        return Empty()

    async def _close_io(self, container: Container, request: shim_v3.CloseIORequest) -> Message:
        process = container.process(request.exec_id)
        if request.stdin:
            process.close_stdin()
            container.save()
            await self._tasks.host.deposits.settled()  # or the daemon would keep its input open
        return Empty()

    async def _update(self, container: Container, request: shim_v3.UpdateTaskRequest) -> Message:
        await shields.to_the_end(container.update(request.resources.value))
        return Empty()

    async def _stats(self, container: Container, request: shim_v3.StatsRequest) -> Message:
        return shim_v3.StatsResponse(stats=typeurls.pack(stats.collect(container.cgroup)))

    async def _connect(self, request: shim_v3.ConnectRequest, call: Call) -> Message:
        self._tasks.touch()
        try:
            pid = self._tasks.get(call.value(NAMESPACE), request.id).init.pid
        except errors.NotFound:
            pid = 0
        return shim_v3.ConnectResponse(shim_pid=os.getpid(), task_pid=pid)

    async def _shut_down(self, request: shim_v3.ShutdownRequest, call: Call) -> Message:
        if not len(self._tasks):
            self._shutdown(request.now)
        return Empty()


def _process_info(pid: int, process: Process | None) -> task_types.ProcessInfo:
    if process is None:
        return task_types.ProcessInfo(pid=pid)
    return task_types.ProcessInfo(pid=pid, info=typeurls.pack(runc_options.ProcessDetails(exec_id=process.id)))


def _encode(message: Message) -> bytes:
    return message.SerializeToString()
