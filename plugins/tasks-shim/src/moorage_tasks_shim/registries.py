"""All tasks of the daemon, and what they share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from moorage_sdk import errors
from moorage_sdk.tasks import Bundle
from moorage_tasks_shim.binaries import Timeouts
from moorage_tasks_shim.bundles import Bundles
from moorage_tasks_shim.carriers import Carriers
from moorage_tasks_shim.shims import Link, Links
from moorage_tasks_shim.tasks import Task

log = logging.getLogger(__name__)

R = TypeVar("R")


class Registry:
    """Tasks by namespace and id, with the pool, the connections and the background work that they share."""

    def __init__(self, bundles: Bundles, carriers: Carriers, timeouts: Timeouts) -> None:
        self.bundles = bundles
        self.carriers = carriers
        self.timeouts = timeouts
        self.links = Links(self._lost)
        self._disk = ThreadPoolExecutor(4, thread_name_prefix="moorage-tasks")
        self._tasks: dict[tuple[str, str], Task] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._search: Callable[[Task], object] | None = None

    def get(self, namespace: str, id: str) -> Task:
        """Raises errors.NotFound."""
        task = self._tasks.get((namespace, id))
        if task is None:
            raise errors.NotFound(f'task "{id}" in namespace "{namespace}": not found')
        return task

    def of(self, namespace: str) -> list[Task]:
        """The tasks of a namespace, by id."""
        return [self._tasks[key] for key in sorted(self._tasks) if key[0] == namespace]

    def has(self, namespace: str, id: str) -> bool:
        return (namespace, id) in self._tasks

    def add(self, task: Task) -> None:
        self._tasks[task.key] = task

    def keys(self) -> frozenset[tuple[str, str]]:
        """Namespace and id of every task."""
        return frozenset(self._tasks)

    def holds(self, task: Task) -> bool:
        """Whether it is still this very task that goes by its id."""
        return self._tasks.get(task.key) is task

    def on_lost(self, search: Callable[[Task], object]) -> None:
        """Call ``search`` for each task whose connection ends by itself."""
        self._search = search

    def lost(self, task: Task) -> None:
        """Its connection ended by itself: the shim is out of reach until it is found again."""
        task.attach(None)
        if self._search:
            self._search(task)

    async def disk(self, work: Callable[..., R], *args: Any) -> R:
        """Run what touches files and mounts. Work that has begun goes on when the caller is cancelled."""
        return await asyncio.wrap_future(self._disk.submit(work, *args))

    def background(self, work: Any) -> asyncio.Task[None]:
        """Run a coroutine that nobody waits for; it is cancelled by ``close``."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._finished)
        return task

    def close(self) -> None:
        """Let go of all shims; they and their containers live on."""
        for task in list(self._background):
            task.cancel()
        self.links.abandon()
        for each in self._tasks.values():
            if each.log:
                each.log.close()
        self._disk.shutdown(wait=False, cancel_futures=True)

    async def remove(self, task: Task, *, shutdown: bool = True) -> None:
        """The task is deleted: forget it, tell its shim, and remove the bundle. What fails is logged."""
        if self.holds(task):
            del self._tasks[task.key]
        link = task.link
        if link is not None:
            task.attach(None)  # before anything is awaited: a link is released once
            if shutdown:
                await self.shut_down(link, task.bundle)
            await self.links.release(link)
        if task.log:
            task.log.close()
        try:
            await self.disk(self.bundles.delete, task.bundle)
        except (OSError, errors.Error) as error:
            log.error("%s: bundle not removed: %s", task.subject, error)

    async def shut_down(self, link: Link, bundle: Bundle) -> None:
        """Tell a shim that it may go, unless others live behind it."""
        if link.shared or link.tasks > 1 or link.lost:
            return
        try:
            await link.call(bundle.namespace, "Shutdown", self.timeouts.shutdown, id=bundle.id)
        except errors.Error as error:
            # The usual end of this call is that the shim closes the connection before it has answered.
            log.debug("shim of %s/%s: shutdown: %s", bundle.namespace, bundle.id, error)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work on tasks: failed", exc_info=error)

    async def _lost(self, link: Link) -> None:
        orphans = [task for task in self._tasks.values() if task.link is link]
        if orphans:
            log.warning("shim %s: disconnected, %d tasks", link.path, len(orphans))
        for task in orphans:
            self.lost(task)
