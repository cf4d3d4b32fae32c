"""Additional processes in a container: registered by Exec, begun by Start."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from moorage_api.messages import events
from moorage_runtime_runc import consoles, openings, shields, streams
from moorage_runtime_runc.containers import Container
from moorage_runtime_runc.hosts import Host
from moorage_runtime_runc.processes import Process, read_pid
from moorage_sdk import errors, identifiers
from moorage_sdk.tasks import Status, Stdio

log = logging.getLogger(__name__)


def add(container: Container, exec_id: str, stdio: Stdio, spec: dict[str, Any]) -> Process:
    """Register a process. Raises errors.InvalidArgument, errors.AlreadyExists, errors.FailedPrecondition."""
    identifiers.validate(exec_id, "exec id")
    if exec_id in container.execs or exec_id == container.id:
        raise errors.AlreadyExists(f"id {exec_id}: already exists")
    status = container.status(container.init)
    if status in (Status.PAUSED, Status.PAUSING):
        raise errors.FailedPrecondition("cannot exec in a paused state")
    # Only once init's exit is told, until when State says that it runs; Start knows better.
    if status is Status.STOPPED:
        raise errors.FailedPrecondition("cannot exec in a stopped state")
    process = Process(exec_id, stdio, {**spec, "terminal": stdio.terminal})
    container.execs[exec_id] = process
    container.announce(events.TaskExecAdded(container_id=container.id, exec_id=exec_id))
    return process


async def start(container: Container, process: Process, host: Host) -> int:
    """Begin a registered process and return its pid. Waiting for the client's readers can be cancelled.

    Raises errors.FailedPrecondition if it was started before or init is gone, errors.Error with the runtime's reason.
    """
    async with process.busy:
        if process.status is not Status.CREATED or process.pid:
            state = "stopped" if process.status is Status.STOPPED else "running"
            raise errors.FailedPrecondition(f"cannot start a {state} process")
        container.exits.enter(process)
        host.grace_periods.begin()
        try:
            opened = await _open_streams(container, process, host)
            process.entrust(opened, host.deposits.keeper(container.namespace, container.id, process.id))
        except BaseException:
            await _give_up(container, process)
            raise
        # Once the runtime runs, the process may have begun its work. Whoever has gone does not hear of it, but it is
        # registered as what it is.
        return await shields.uninterrupted(_begin(container, process, host))


async def _begin(container: Container, process: Process, host: Host) -> int:
    try:
        await _run(container, process, host)
    except BaseException:
        await _give_up(container, process)
        raise
    process.status = Status.RUNNING
    container.announce(events.TaskExecStarted(container_id=container.id, exec_id=process.id, pid=process.pid))
    forget_pid(container, process)  # not before it is in the record
    assert process.watch is not None
    container.exits.follow_exec(process, process.watch)
    return process.pid


def _has_begun(container: Container, path: Path) -> bool:
    """Whether the runtime died when it had done its work: it tells the pid at the very end."""
    try:
        return read_pid(path) in container.pids()
    except errors.Internal:
        return False


async def _give_up(container: Container, process: Process) -> None:
    process.never_started()
    await process.streams.close()
    process.settled()
    forget_pid(container, process)
    await container.exits.leave(process)


def pid_file(container: Container, process: Process) -> Path:
    """Where the runtime writes the pid; the prefix keeps an exec of the name "init" apart from init."""
    return container.bundle / f"exec-{process.id}.pid"


def forget_pid(container: Container, process: Process) -> None:
    """Remove the file, and that of another name which runc writes first: one that was killed leaves it, and with it no
    exec of that id could begin."""
    path = pid_file(container, process)
    for each in (path, path.with_name(f".{path.name}")):
        each.unlink(missing_ok=True)


async def _open_streams(container: Container, process: Process, host: Host) -> streams.Streams:
    owner = streams.Owner(container.namespace, process.id, container.settings.io_uid, container.settings.io_gid)
    # What an exec leaves in the background would hold the FIFO itself for ever, and with it everybody who waits for its
    # end; and what the runtime says of a command that it cannot start is not for the client's FIFO.
    return await openings.open_streams(process.stdio, owner, host, relay=True)


async def _run(container: Container, process: Process, host: Host) -> None:
    path = pid_file(container, process)
    with host.reaper.hold():
        async with consoles.console_socket(host.folder, process.stdio.terminal) as console:
            socket = console.path if console else None
            try:
                await container.runtime.exec(process.spec or {}, path, process.streams.child, socket)
            except errors.Error as error:
                if not _has_begun(container, path):
                    raise
                log.warning("exec %s in container %s: runs, although: %s", process.id, container.id, error)
            if console is not None:
                process.streams.attach(await console.master())
        process.streams.started()
        process.born(read_pid(path), host.reaper)
