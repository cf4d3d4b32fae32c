"""Starting a container's task anew and ending it, as ``plugins/restart/change.go`` does through containerd's client."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, TypeVar

from moorage_restart_monitor import policies
from moorage_sdk import errors
from moorage_sdk.containers import Container, parse_spec
from moorage_sdk.metadata import Metadata, View
from moorage_sdk.mounts import Mount
from moorage_sdk.tasks import Creation, Stdio, TaskManager

PATIENCE = 30.0
"""Seconds that a killed task may take to be gone."""

R = TypeVar("R")


log = logging.getLogger(__name__)


class Restarter:
    """Acts on tasks; what a container is made of comes from its record, read on ``pool``."""

    def __init__(self, metadata: Metadata, tasks: TaskManager, pool: Executor) -> None:
        self._metadata = metadata
        self._tasks = tasks
        self._pool = pool

    async def start(self, namespace: str, id: str) -> None:
        """Count, take away what is left of the last task, make a new one. Raises errors.Error.

        The count comes first, so that a start that fails is counted, too.
        """
        view = self._metadata.view(namespace)
        container = await self._run(_counted, view, id)
        creation = await self._run(creation_of, view, container)
        await self.stop(namespace, id)
        await self._tasks.create(namespace, creation)
        await self._tasks.start(namespace, id)

    async def stop(self, namespace: str, id: str) -> None:
        """Kill the task with everything in it and delete it; none is fine. Raises errors.Error."""
        refusal: errors.Error | None = None
        try:
            await self._kill(namespace, id)
        except errors.Error as error:
            refusal = error
        try:
            await self._tasks.delete(namespace, id)
        except errors.NotFound:
            return
        except errors.Error as error:
            # What ended by itself cannot be killed, and that is no news; of what lives on, this is why.
            raise refusal or error from None

    async def _kill(self, namespace: str, id: str) -> None:
        await self._tasks.kill(namespace, id, signal.SIGKILL, all=True)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._tasks.wait(namespace, id)
        except TimeoutError as error:
            raise errors.DeadlineExceeded(f'task "{id}": does not end though it was killed') from error

    async def _run(self, work: Callable[..., R], *args: Any) -> R:
        return await asyncio.wrap_future(self._pool.submit(work, *args))


def creation_of(view: View, container: Container) -> Creation:
    """The task that the record describes. Raises errors.FailedPrecondition, errors.InvalidArgument, errors.NotFound."""
    if container.spec is None:
        raise errors.FailedPrecondition(f'container "{container.id}": has no spec: failed precondition')
    spec = parse_spec(container.id, container.spec.value)
    if container.labels.get(policies.LOG_PATH):
        log.warning('container "%s": label %s has no effect, use %s', container.id, policies.LOG_PATH, policies.LOG_URI)
    sink = container.labels.get(policies.LOG_URI, "")
    terminal = bool(_table(spec, "process").get("terminal"))
    return Creation(
        id=container.id,
        runtime=container.runtime.name,
        spec=container.spec.value,
        rootfs=_rootfs(view, container, str(_table(spec, "linux").get("mountLabel") or "")),
        # A terminal has one stream (TerminalLogURI in pkg/cio/io.go).
        stdio=Stdio("", sink, "" if terminal else sink, terminal),
        options=container.runtime.options,
        sandbox=_sandbox(view, container),
    )


def _counted(view: View, id: str) -> Container:
    container = view.containers.get(id)
    labels = {policies.COUNT: str(policies.count(container.labels) + 1)}
    return view.containers.update(replace(container, labels=labels), [f"labels.{policies.COUNT}"])


def _rootfs(view: View, container: Container, label: str) -> tuple[Mount, ...]:
    """The mounts of its snapshot, with the SELinux label that its specification names (client/container.go)."""
    if not container.snapshot_key:
        return ()
    if not container.snapshotter:
        raise errors.InvalidArgument(f'container "{container.id}": snapshot without snapshotter: invalid argument')
    mounts = view.snapshotter(container.snapshotter).mounts(container.snapshot_key)
    context = (f"context={json.dumps(label)}",) if label else ()
    return tuple(replace(mount, options=(*mount.options, *context)) for mount in mounts)


def _sandbox(view: View, container: Container) -> str:
    """The sandbox that it must be created in. One without a record is of a client that knows no records."""
    if container.sandbox:
        try:
            return view.sandboxes.get(container.sandbox).id
        except errors.NotFound:
            return ""
    return ""


def _table(spec: dict[str, Any], key: str) -> dict[str, Any]:
    value = spec.get(key)
    return value if isinstance(value, dict) else {}
