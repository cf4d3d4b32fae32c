"""Taking over the containers of a monitor that is gone.

It may have died between any two instructions, so a record is taken for what was intended, and the runtime and the
kernel are asked what came of it.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from moorage_api.messages import events
from moorage_runtime_runc import escrows, execs, reapers, records
from moorage_runtime_runc.containers import Container
from moorage_runtime_runc.creations import Creation
from moorage_runtime_runc.inheritances import Inheritance
from moorage_runtime_runc.processes import Process, read_pid
from moorage_runtime_runc.publishers import Prepared
from moorage_runtime_runc.reapers import Ended, Watch
from moorage_runtime_runc.records import ProcessRecord, TaskRecord
from moorage_runtime_runc.tasks import Tasks
from moorage_sdk import errors
from moorage_sdk.tasks import Status
from moorage_sys import pidfds

log = logging.getLogger(__name__)


async def adopt_all(tasks: Tasks, index: records.Index, inheritance: Inheritance) -> None:
    """Every container that has a record. What cannot be taken over is logged and left to the daemon's cleanup."""
    for namespace, id, bundle in list(index.bundles()):
        try:
            await adopt(tasks, records.read(bundle), inheritance)
        except errors.NotFound:
            log.info("container %s/%s: was not created, or is deleted", namespace, id)
            index.remove(namespace, id)
        except (errors.Error, OSError):
            log.exception("container %s/%s: not taken over", namespace, id)
    inheritance.close_rest()


async def adopt(tasks: Tasks, record: TaskRecord, inheritance: Inheritance) -> None:
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
        _find(tasks, container, process, inheritance)
    await _ask(container, record)
    tasks.add(container)
    for process in container.execs.values():
        _adopt_exec(tasks, container, process, inheritance)
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


def _find(tasks: Tasks, container: Container, process: Process, inheritance: Inheritance) -> None:
    """Watch a process that there was when the record was written, be it as one that is gone."""
    if not process.pid:
        return
    held = inheritance.take(_name(container, process))
    pidfd = held.pop(escrows.PROCESS, -1)
    if process.status is Status.STOPPED:
        _close(pidfd)
        if held:  # its output may still have to be moved
            _adopt_streams(tasks, container, process, held)
        return
    try:
        process.follow(_watch(tasks, process, pidfd, _reaped_as(container, process, inheritance)))
    except ProcessLookupError:
        log.warning("process %s, pid %d: ended unseen, its status is told as 255", process.id, process.pid)
        process.watch = reapers.lost(process.pid)
    _adopt_streams(tasks, container, process, held)


def _watch(tasks: Tasks, process: Process, pidfd: int, reaped_as: str) -> Watch:
    """Through the descriptor that was left to us, which also tells of an end that came meanwhile, or by its pid."""
    reaper = tasks.host.reaper
    return reaper.adopt(process.pid, pidfd, reaped_as) if pidfd >= 0 else reaper.watch(process.pid, process.started)


def _adopt_streams(tasks: Tasks, container: Container, process: Process, held: dict[str, int]) -> None:
    process.entrust(process.streams, tasks.host.deposits.keeper(*_ids(container, process)))
    process.streams.adopt(process.stdio, held, stdin_open=process.stdin_open, pid=_pid(process))


def _pid(process: Process) -> int:
    """Its pid, unless that is another's by now."""
    with contextlib.suppress(ProcessLookupError):
        return process.pid if pidfds.start_time(process.pid) == process.started else 0
    return 0


def _ids(container: Container, process: Process) -> tuple[str, str, str]:
    return container.namespace, container.id, "" if process is container.init else process.id


def _name(container: Container, process: Process) -> str:
    return escrows.name(*_ids(container, process))


def _reaped_as(container: Container, process: Process, inheritance: Inheritance) -> str:
    """Its name if the daemon will tell how it ends."""
    name = _name(container, process)
    return name if name in inheritance.reaped else ""


def _close(*descriptors: int) -> None:
    for fd in descriptors:
        if fd >= 0:
            os.close(fd)


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


def _adopt_exec(tasks: Tasks, container: Container, process: Process, inheritance: Inheritance) -> None:
    if process.status is Status.CREATED and process.watch is None:
        _look_for_exec(tasks, container, process, inheritance)
    if process.watch is not None:
        container.exits.enter(process)
        container.exits.follow_exec(process, process.watch)


def _look_for_exec(tasks: Tasks, container: Container, process: Process, inheritance: Inheritance) -> None:
    """The runtime may have been starting it: then its pid file tells.

    The pid is its own if a descriptor of it was left to us, or if it is in the container still.
    """
    held = inheritance.take(_name(container, process))
    pidfd = held.pop(escrows.PROCESS, -1)
    path = execs.pid_file(container, process)
    try:
        process.pid = read_pid(path)
        if pidfd < 0 and process.pid not in container.pids():
            raise ProcessLookupError
        process.follow(_watch(tasks, process, pidfd, _reaped_as(container, process, inheritance)))
        process.started = pidfds.start_time(process.pid) if pidfd < 0 else 0
    except (errors.Internal, ProcessLookupError):
        process.pid = 0
        _close(pidfd, *held.values())
    else:
        process.status = Status.RUNNING
        _adopt_streams(tasks, container, process, held)
        container.announce(events.TaskExecStarted(container_id=container.id, exec_id=process.id, pid=process.pid))
    path.unlink(missing_ok=True)


async def _remove(tasks: Tasks, container: Container) -> None:
    """Create had not returned, so nobody was told of it."""
    try:
        await container.runtime.delete(force=True)
    except errors.Error as error:
        log.warning("container %s/%s: %s", container.namespace, container.id, error)
    await container.unmount()
    tasks.discard(container)
