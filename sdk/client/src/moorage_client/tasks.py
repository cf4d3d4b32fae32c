"""The Tasks service: running containers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any as Json

from google.protobuf.any_pb2 import Any

from moorage_api.convert import mounts, payloads, timestamps, typeurls
from moorage_api.messages import task_types, tasks
from moorage_client.calls import Caller
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount
from moorage_sdk.tasks import Exit, Pid, Process, Status, Stdio

SERVICE = "containerd.services.tasks.v1.Tasks"
NO_STDIO = Stdio()
"""Everything is /dev/null."""


class Tasks:
    """Every method raises errors.NotFound for a container, task or process that does not exist.

    ``exec_id`` is empty for the init process.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def create(
        self, id: str, rootfs: Sequence[Mount] = (), stdio: Stdio = NO_STDIO, options: Payload | None = None
    ) -> int:
        """Make the init process of a container, stopped before its first instruction. Returns its pid.

        Raises errors.AlreadyExists; what the runtime says of a failure is in the message.
        """
        request = tasks.CreateTaskRequest(
            container_id=id,
            rootfs=mounts.to_messages(rootfs),
            stdin=stdio.stdin,
            stdout=stdio.stdout,
            stderr=stdio.stderr,
            terminal=stdio.terminal,
            options=payloads.to_optional(options),
        )
        return int((await self._call("Create", request)).pid)

    async def start(self, id: str, exec_id: str = "") -> int:
        """Returns the pid."""
        return int((await self._call("Start", tasks.StartRequest(container_id=id, exec_id=exec_id))).pid)

    async def delete(self, id: str) -> Exit:
        """Raises an error while the task runs."""
        answer = await self._call("Delete", tasks.DeleteTaskRequest(container_id=id))
        return Exit(answer.exit_status, timestamps.from_message(answer.exited_at), answer.pid, id)

    async def delete_process(self, id: str, exec_id: str) -> Exit:
        """Raises an error while the process runs."""
        request = tasks.DeleteProcessRequest(container_id=id, exec_id=exec_id)
        answer = await self._call("DeleteProcess", request)
        return Exit(answer.exit_status, timestamps.from_message(answer.exited_at), answer.pid, exec_id)

    async def exec(self, id: str, exec_id: str, process: Mapping[str, Json], stdio: Stdio = NO_STDIO) -> None:
        """Register a process; ``start`` runs it. ``process`` is the OCI specification's process object."""
        request = tasks.ExecProcessRequest(
            container_id=id,
            exec_id=exec_id,
            spec=typeurls.pack_json(typeurls.PROCESS, process),
            stdin=stdio.stdin,
            stdout=stdio.stdout,
            stderr=stdio.stderr,
            terminal=stdio.terminal,
        )
        await self._call("Exec", request)

    async def get(self, id: str, exec_id: str = "") -> Process:
        answer = await self._call("Get", tasks.GetRequest(container_id=id, exec_id=exec_id))
        return _value(answer.process)

    async def kill(self, id: str, signal: int, *, exec_id: str = "", all: bool = False) -> None:
        """Raises errors.NotFound for a process that is gone, errors.FailedPrecondition for one not yet created."""
        await self._call("Kill", tasks.KillRequest(container_id=id, exec_id=exec_id, signal=signal, all=all))

    async def wait(self, id: str, exec_id: str = "") -> Exit:
        """Returns when the process has ended, at once if it had."""
        answer = await self._call("Wait", tasks.WaitRequest(container_id=id, exec_id=exec_id))
        return Exit(answer.exit_status, timestamps.from_message(answer.exited_at), id=exec_id or id)

    async def pause(self, id: str) -> None:
        await self._call("Pause", tasks.PauseTaskRequest(container_id=id))

    async def resume(self, id: str) -> None:
        await self._call("Resume", tasks.ResumeTaskRequest(container_id=id))

    async def resize(self, id: str, exec_id: str, width: int, height: int) -> None:
        """In columns and rows."""
        request = tasks.ResizePtyRequest(container_id=id, exec_id=exec_id, width=width, height=height)
        await self._call("ResizePty", request)

    async def close_stdin(self, id: str, exec_id: str = "") -> None:
        """Let the process read the end of its standard input once it has read all that was written."""
        await self._call("CloseIO", tasks.CloseIORequest(container_id=id, exec_id=exec_id, stdin=True))

    async def pids(self, id: str) -> list[Pid]:
        answer = await self._call("ListPids", tasks.ListPidsRequest(container_id=id))
        return [Pid(message.pid, payloads.optional(message.info)) for message in answer.processes]

    async def update(self, id: str, resources: Mapping[str, Json]) -> None:
        """``resources`` is the OCI specification's Linux resources object."""
        packed = Any(type_url=typeurls.LINUX_RESOURCES, value=json.dumps(resources).encode())
        await self._call("Update", tasks.UpdateTaskRequest(container_id=id, resources=packed))

    async def metrics(self, filters: Sequence[str] = ()) -> dict[str, Payload]:
        """Usage by container id: ``io.containerd.cgroups.v1.Metrics`` or ``.v2.Metrics``."""
        answer = await self._call("Metrics", tasks.MetricsRequest(filters=filters))
        return {each.id: payload for each in answer.metrics if (payload := payloads.optional(each.data))}

    async def list(self) -> list[Process]:
        """The init process of every task of the namespace."""
        answer = await self._call("List", tasks.ListTasksRequest())
        return [_value(message) for message in answer.tasks]

    async def _call(self, method: str, request: Json) -> Json:
        return await self._caller.call(SERVICE, method, request)


def _value(message: task_types.Process) -> Process:
    return Process(
        container_id=message.container_id or message.id,
        exec_id="" if message.id in ("", message.container_id) or not message.container_id else message.id,
        pid=message.pid,
        status=Status(message.status),
        stdio=Stdio(message.stdin, message.stdout, message.stderr, message.terminal),
        exit_status=message.exit_status,
        exited_at=timestamps.from_message(message.exited_at),
    )
