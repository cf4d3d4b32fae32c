"""Taking over the containers of a monitor that is gone."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from moorage_runtime_runc import records
from moorage_runtime_runc.containers import Container
from moorage_runtime_runc.creations import Creation
from moorage_runtime_runc.processes import Process
from moorage_runtime_runc.reapers import UNKNOWN, Ended, Watch
from moorage_runtime_runc.records import ProcessRecord, TaskRecord
from moorage_runtime_runc.tasks import Tasks
from moorage_sdk import errors
from moorage_sdk.tasks import Status

log = logging.getLogger(__name__)


async def adopt_all(tasks: Tasks, index: records.Index) -> None:
    """Every container that has a record. What cannot be taken over is logged and left to the daemon's cleanup."""
    for bundle in list(index.bundles()):
        try:
            await adopt(tasks, records.read(bundle))
        except errors.NotFound:
            log.info("bundle %s: gone", bundle)
            index.remove(bundle.parent.name, bundle.name)
        except (errors.Error, OSError):
            log.exception("bundle %s: not taken over", bundle)


async def adopt(tasks: Tasks, record: TaskRecord) -> None:
    """One container. Exits that nobody saw are announced with status 255, after those that were."""
    container = _make(tasks, record)
    if record.creating:
        await _remove(tasks, container)
        return
    followed = [(process, _find(tasks, process)) for process in container.execs.values()]
    init_watch = _find(tasks, container.init)
    tasks.add(container)
    for process, watch in followed:
        _resume(container, process, watch)
    _resume(container, container.init, init_watch)
    container.save()


def _make(tasks: Tasks, record: TaskRecord) -> Container:
    creation = Creation(record.id, Path(record.bundle), stdio=record.init.stdio)
    container = tasks.make(record.namespace, creation, record.settings)
    container.mounted, container.paused = record.mounted, record.paused
    container.creating, container.restore_from = record.creating, record.restore_from
    _restore(container.init, record.init)
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


def _find(tasks: Tasks, process: Process) -> Watch | None:
    """Watch a process that ran when the record was written. None if it had not been started, or is gone."""
    if process.status is Status.STOPPED or not process.pid:
        return None
    try:
        process.watch = tasks.host.reaper.watch(process.pid, process.started)
    except ProcessLookupError:
        return None
    process.streams.adopt(process.stdio, stdin_open=process.stdin_open)
    return process.watch


def _resume(container: Container, process: Process, watch: Watch | None) -> None:
    init = process is container.init
    if watch is not None:
        if init:
            container.follow_init(watch)
        else:
            container.exits.enter(process)
            container.exits.follow_exec(process, watch)
    elif process.pid and process.status is not Status.STOPPED:
        log.warning("process %s of %s/%s: ended unseen", process.id, container.namespace, container.id)
        container.exits.lost(process, Ended(UNKNOWN, time.time_ns()))


async def _remove(tasks: Tasks, container: Container) -> None:
    """Create had not returned, so nobody was told of it."""
    try:
        await container.runtime.delete(force=True)
    except errors.Error as error:
        log.warning("container %s/%s: %s", container.namespace, container.id, error)
    await container.unmount()
    tasks.discard(container)
