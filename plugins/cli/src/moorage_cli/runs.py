"""Containers from the command line: options to settings, tasks with the right streams, removal of all that belongs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from moorage_cli import logs, lookups, restarts
from moorage_cli.attachments import Foreground, Streams
from moorage_client import creations, fifos
from moorage_client.clients import Client
from moorage_sdk import errors
from moorage_sdk.containers import Container
from moorage_sdk.tasks import Exit, Stdio

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds that a killed process may take to be gone."""

EXIT = "moorage/exit"
"""Container label: exit code and time of the last task that we deleted ourselves."""


def fresh_id() -> str:
    """Twelve hexadecimal digits that do not look like a number."""
    return "c" + os.urandom(6).hex()[:11]


async def foreground(client: Client, container: Container, streams: Streams) -> Exit | None:
    """Start the container's task attached to our streams; None when the person detached.

    What cannot be started leaves no task behind. Afterwards the task is deleted and its exit code kept as a label; but
    one with a restart policy is left to the daemon, and what it says from then on goes to its log.
    """
    if restarts.concerned(container):
        await restarts.keep_log(client, container)
    pipes = fifos.create(stdin=streams.interactive, terminal=streams.terminal)
    keep = False

    async def begin() -> None:
        await create_task(client, container, pipes.stdio)
        await restarts.watch(client, container)

    foreground = Foreground(client, container.id, "", streams)
    try:
        try:
            ended = await foreground.run(pipes.stdio, begin, launch=True)
        except BaseException as error:
            keep = foreground.started
            if not keep and not isinstance(error, errors.AlreadyExists):
                await asyncio.shield(_abandon(client, container))
            raise
        keep = ended is None
        if ended is not None and not restarts.concerned(container):
            await forget_task(client, container, ended)
        return ended
    finally:
        if not keep:
            pipes.remove()


async def detached(client: Client, container: Container, *, stdin: bool, terminal: bool) -> None:
    """Start the container's task in the background.

    Its output goes to a file; with a terminal or with open input it goes to FIFOs instead, to attach to later, until
    the daemon starts it again.
    """
    attachable = terminal or stdin
    uri = await restarts.keep_log(client, container) if not attachable or restarts.concerned(container) else ""
    if not attachable:
        await _started(client, container, _create_and_start(client, container, Stdio("", uri, uri)))
        return
    pipes = fifos.create(stdin=stdin, terminal=terminal)
    try:
        # A runtime may wait for a reader before it starts anything, so be one until it has.
        with _reading(pipes.stdio):
            await _started(client, container, _create_and_start(client, container, pipes.stdio))
    except BaseException:
        pipes.remove()
        raise


async def create_task(client: Client, container: Container, stdio: Stdio) -> None:
    rootfs = await client.snapshots(container.snapshotter).mounts(container.snapshot_key)
    await client.tasks.create(container.id, rootfs, stdio, container.runtime.options)


async def delete_task(client: Client, id: str) -> None:
    """Delete a task that has ended, and the FIFOs that it was started with; none is fine."""
    process = await lookups.task(client, id)
    if process is not None:
        await client.tasks.delete(id)
        _remove_fifos(process.stdio)


async def forget_task(client: Client, container: Container, ended: Exit) -> None:
    """Delete a task that has ended; its exit code stays with the container, if that is still there."""
    try:
        await delete_task(client, container.id)
        at = datetime.fromtimestamp(ended.exited_at / 1e9, UTC).isoformat(timespec="seconds")
        labelled = replace(container, labels={EXIT: f"{ended.status} {at}"})
        await client.containers.update(labelled, [f"labels.{EXIT}"])
    except errors.NotFound:
        return  # somebody removed it meanwhile


async def discard(client: Client, id: str) -> None:
    """Remove a container that could not be started, with whatever it got by then; one with a task is left alone.

    What fails here is not what the person has to hear.
    """
    with suppress(errors.Error):
        container = await client.containers.get(id)
        if await lookups.task(client, id) is None:
            await remove(client, container)


async def remove(client: Client, container: Container) -> None:
    """Delete a container whose task has ended or never was: task, record, snapshot, log and FIFOs."""
    await delete_task(client, container.id)
    await creations.remove(client, container)
    if log := logs.kept(client.namespace, container):
        log.unlink(missing_ok=True)


async def _create_and_start(client: Client, container: Container, stdio: Stdio) -> None:
    await create_task(client, container, stdio)
    await client.tasks.start(container.id)
    await restarts.watch(client, container)


async def _started(client: Client, container: Container, work: Awaitable[T]) -> T:
    """``work`` creates and starts a task; when it fails the task is taken away again."""
    try:
        return await work
    except errors.AlreadyExists:
        raise  # the task is somebody else's
    except BaseException:
        await asyncio.shield(_abandon(client, container))
        raise


async def _abandon(client: Client, container: Container) -> None:
    id, tasks = container.id, client.tasks
    for step in (restarts.leave(client, container), tasks.kill(id, signal.SIGKILL), tasks.wait(id), tasks.delete(id)):
        with suppress(errors.Error, TimeoutError):  # whichever step the task never reached
            await asyncio.wait_for(step, PATIENCE)


@contextmanager
def _reading(stdio: Stdio) -> Iterator[None]:
    fds = [os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC) for path in (stdio.stdout, stdio.stderr) if path]
    try:
        yield
    finally:
        for fd in fds:
            os.close(fd)


def _remove_fifos(stdio: Stdio) -> None:
    """Only what lies where we put it: the path comes from the daemon."""
    folder = Path(stdio.stdout).parent
    if stdio.stdout and folder.parent == fifos.DEFAULT_FOLDER and folder.name != "..":
        fifos.Fifos(folder, stdio).remove()
