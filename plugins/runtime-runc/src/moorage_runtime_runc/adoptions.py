"""Taking over the containers of a monitor that is gone.

It may have died between any two instructions, so a record is taken for what was intended, and the runtime and the
kernel are asked what came of it.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from moorage_api.messages import events
from moorage_runtime_runc import execs, reapers, records
from moorage_runtime_runc.containers import Container
from moorage_runtime_runc.creations import Creation
from moorage_runtime_runc.processes import Process, read_pid
from moorage_runtime_runc.publishers import Prepared
from moorage_runtime_runc.reapers import Ended
from moorage_runtime_runc.records import ProcessRecord, TaskRecord
from moorage_runtime_runc.tasks import Tasks
from moorage_sdk import errors
from moorage_sdk.tasks import Status

log = logging.getLogger(__name__)


async def adopt_all(tasks: Tasks, index: records.Index) -> None:
    """Every container that has a record. What cannot be taken over is logged and left to the daemon's cleanup."""
    for namespace, id, bundle in list(index.bundles()):
        try:
            await adopt(tasks, records.read(bundle))
        except errors.NotFound:
            log.info("container %s/%s: was not created, or is deleted", namespace, id)
            index.remove(namespace, id)
        except (errors.Error, OSError):
            log.exception("container %s/%s: not taken over", namespace, id)


async def adopt(tasks: Tasks, record: TaskRecord) -> None:
    """One container. Exits that nobody saw are announced with status 255."""
    container = _make(tasks, record)
    if record.creating:
        await _remove(tasks, container)
        return
    if record.event_number and not tasks.publisher.was_sent(container.event):
        tasks.publisher.send(container.event)
    if record.deleting:
        tasks.discard(container)
        return
    for process in (*container.execs.values(), container.init):
        _find(tasks, process)
    await _ask(container, record)
    tasks.add(container)
    for process in container.execs.values():
        _adopt_exec(tasks, container, process)
    if container.init.watch is not None:
        container.follow_init(container.init.watch)


def _make(tasks: Tasks, record: TaskRecord) -> Container:
    creation = Creation(record.id, Path(record.bundle), stdio=record.init.stdio)
    container = tasks.make(record.namespace, creation, record.settings)
    container.mounted, container.paused = record.mounted, record.paused
    container.creating, container.deleting = record.creating, record.deleting
    container.restore_from, container.parent_checkpoint = record.restore_from, record.parent_checkpoint
    container.event = Prepared(record.event_number, bytes.fromhex(record.event))
    _restore(container.init, record.init)
    container.exits.init_gone = record.init.status is Status.STOPPED
    for each in record.execs:
        process = Process(each.id, each.stdio, dict(each.spec) if each.spec is not None else None)
        _restore(process, each)
        container.execs[each.id] = process
    return container


def _restore(process: Process, record: ProcessRecord) -> None:
    process.pid, process.started = record.pid, record.started
    process.stdin_open = record.stdin_open
    process.status = record.status
    if record.status is Status.STOPPED:
        process.ended(Ended(record.exit_status, record.exited_at))


def _find(tasks: Tasks, process: Process) -> None:
    """Watch a process that there was when the record was written, be it as one that is gone."""
    if process.status is Status.STOPPED or not process.pid:
        return
    try:
        process.watch = tasks.host.reaper.watch(process.pid, process.started)
        process.streams.adopt(process.stdio, stdin_open=process.stdin_open)
    except ProcessLookupError:
        log.warning("process %s, pid %d: ended unseen", process.id, process.pid)
        process.watch = reapers.lost(process.pid)


async def _ask(container: Container, record: TaskRecord) -> None:
    """Ask the runtime where its last command may have been under way: starting, pausing or resuming."""
    init = container.init
    if init.watch is None or not (init.status is Status.CREATED or record.pausing or record.paused):
        return
    try:
        state = await container.runtime.state()
    except errors.Error as error:
        log.warning("container %s/%s: %s", container.namespace, container.id, error)
        return
    container.paused = state == "paused"
    started = init.status is Status.CREATED and state in ("running", "paused")
    if init.status is Status.CREATED and state != "created":
        init.status = Status.RUNNING  # also when it has ended: it cannot be started any more, and its exit will follow
    if started:
        container.announce(events.TaskStart(container_id=container.id, pid=init.pid))
    else:
        # One that has ended may have been started, or killed before it was: no event is made up.
        container.save()


def _adopt_exec(tasks: Tasks, container: Container, process: Process) -> None:
    if process.status is Status.CREATED and process.watch is None:
        _look_for_exec(tasks, container, process)
    if process.watch is not None:
        container.exits.enter(process)
        container.exits.follow_exec(process, process.watch)


def _look_for_exec(tasks: Tasks, container: Container, process: Process) -> None:
    """The runtime may have been starting it: then its pid file tells, if the pid is in the container still."""
    path = execs.pid_file(container, process)
    with contextlib.suppress(errors.Internal, ProcessLookupError):
        pid = read_pid(path)
        if pid in container.pids():
            process.born(pid, tasks.host.reaper)
            process.status = Status.RUNNING
            process.streams.adopt(process.stdio, stdin_open=process.stdin_open)
            container.announce(events.TaskExecStarted(container_id=container.id, exec_id=process.id, pid=pid))
    path.unlink(missing_ok=True)


async def _remove(tasks: Tasks, container: Container) -> None:
    """Create had not returned, so nobody was told of it."""
    try:
        await container.runtime.delete(force=True)
    except errors.Error as error:
        log.warning("container %s/%s: %s", container.namespace, container.id, error)
    await container.unmount()
    tasks.discard(container)
