"""Processes of tasks between messages and values."""

from __future__ import annotations

from typing import Protocol

from google.protobuf.any_pb2 import Any

from moorage_api.convert import payloads, timestamps, typeurls
from moorage_api.messages import runc_options, runtime_options, task_types, tasks
from moorage_sdk import errors, identifiers
from moorage_sdk.events import Payload
from moorage_sdk.tasks import Exit, Process, Stdio


class Connected(Protocol):
    """A request that says where a process reads and writes."""

    stdin: str
    stdout: str
    stderr: str
    terminal: bool


def exec_id(given: str) -> str:
    """Return it. Raises errors.InvalidArgument for none or a malformed one."""
    return identifiers.validate(given, "exec id")


def stdio(request: Connected) -> Stdio:
    return Stdio(request.stdin, request.stdout, request.stderr, request.terminal)


def options(runtime: str, given: Any) -> Payload | None:
    """What a client may say at Create; other options belong on the container. Raises errors.InvalidArgument."""
    known = any(typeurls.holds(given, kind) for kind in (runc_options.Options, runtime_options.Options))
    if given.type_url and not known:
        raise errors.InvalidArgument(
            f'task options of type "{given.type_url}": invalid for runtime "{runtime}": invalid argument'
        )
    return payloads.optional(given)


def task_api(request: tasks.CreateTaskRequest) -> tuple[str, int]:
    """Where the shim of the task's sandbox is, and the version it speaks; "" and 0 when the client does not tell.

    Clients of containerd 2.2 say it in the options of runc, whatever the runtime (plugins/services/tasks/local.go).
    """
    address, version = request.task_api_address, request.task_api_version
    if typeurls.holds(request.options, runc_options.Options):
        told = runc_options.Options.FromString(request.options.value)
        address, version = address or told.task_api_address, version or told.task_api_version
    return address, version


def deletion(exited: Exit, id: str = "") -> tasks.DeleteResponse:
    return tasks.DeleteResponse(
        id=id, pid=exited.pid, exit_status=exited.status, exited_at=timestamps.to_message(exited.exited_at)
    )


def to_message(process: Process) -> task_types.Process:
    """``id`` is the exec id, or the container's for init; ``container_id`` stays empty, as in containerd."""
    return task_types.Process(
        id=process.exec_id or process.container_id,
        pid=process.pid,
        status=int(process.status),
        stdin=process.stdio.stdin,
        stdout=process.stdio.stdout,
        stderr=process.stdio.stderr,
        terminal=process.stdio.terminal,
        exit_status=process.exit_status,
        exited_at=timestamps.to_message(process.exited_at),
    )
