"""All tasks of the daemon, and what happens to them when shims or daemons come and go."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from moorage_sdk import errors
from moorage_sdk.events import Exchange
from moorage_sdk.tasks import Bundle, Exit
from moorage_tasks_shim import deaths, records
from moorage_tasks_shim.binaries import Timeouts
from moorage_tasks_shim.bundles import Bundles
from moorage_tasks_shim.carriers import UNKNOWN_STATUS, Carriers
from moorage_tasks_shim.logs import ShimLog
from moorage_tasks_shim.records import Record
from moorage_tasks_shim.shims import Link, Links
from moorage_tasks_shim.tasks import Task

log = logging.getLogger(__name__)

R = TypeVar("R")

PARALLEL = 16
"""Shims that are looked for at the same time."""

ORPHAN_RUNTIME = "io.containerd.runc.v2"
"""Who clears up a bundle that does not say whose it is."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class Registry:
    """Tasks by namespace and id. Loads those of an earlier daemon once, before anything else is answered."""

    def __init__(self, bundles: Bundles, carriers: Carriers, exchange: Exchange, timeouts: Timeouts) -> None:
        self.bundles = bundles
        self.carriers = carriers
        self.timeouts = timeouts
        self.links = Links(self._lost)
        self._exchange = exchange
        self._disk = ThreadPoolExecutor(4, thread_name_prefix="moorage-tasks")
        self._tasks: dict[tuple[str, str], Task] = {}
        self._loading: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(PARALLEL)

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

    async def disk(self, work: Callable[..., R], *args: Any) -> R:
        """Run what touches files and mounts. Work that has begun goes on when the caller is cancelled."""
        return await asyncio.wrap_future(self._disk.submit(work, *args))

    def background(self, work: Any) -> asyncio.Task[None]:
        """Run a coroutine that nobody waits for; it is cancelled by ``close``."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._finished)
        return task

    async def loaded(self) -> None:
        """Returns when the tasks of an earlier daemon are known again. The first caller starts the search."""
        if self._loading is None:
            self._loading = self.background(self._load())
        if not self._loading.done():
            await asyncio.shield(self._loading)

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
        if self._tasks.get(task.key) is task:
            del self._tasks[task.key]
        link = task.link
        if link is not None:
            task.attach(None)  # before anything is awaited: a link is released once
            if shutdown:
                await self.shut_down(link, task.bundle, task.record)
            await self.links.release(link)
        if task.log:
            task.log.close()
        try:
            await self.disk(self.bundles.delete, task.bundle)
        except (OSError, errors.Error) as error:
            log.error("%s: bundle not removed: %s", task.subject, error)

    async def shut_down(self, link: Link, bundle: Bundle, record: Record) -> None:
        """Tell a shim that it may go, unless others live behind it."""
        shared = record.endpoint is not None and record.endpoint.shared
        if shared or link.tasks > 1 or link.lost:
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

    async def _load(self) -> None:
        try:
            found = await self.disk(lambda: list(self.bundles.all()))
            await asyncio.gather(*map(self._load_bundle, found))
            await self.disk(self.bundles.tidy, frozenset(self._tasks))
        except (OSError, errors.Error) as error:
            log.error("tasks of an earlier daemon: not all are in order: %s", error)

    async def _load_bundle(self, bundle: Bundle) -> None:
        task = await self._remembered(bundle)
        if task is None:
            await self._clear_orphan(bundle)
            return
        self.add(task)
        recovery = self.background(self._recover(task))
        # A shim that takes longer must not hold up the others' tasks: the search goes on, calls get Unavailable.
        await asyncio.wait([recovery], timeout=self.timeouts.load)

    async def _remembered(self, bundle: Bundle) -> Task | None:
        try:
            record = await self.disk(records.load, bundle)
            carrier = self.carriers.remembered(record)
            return Task(bundle, record, carrier, ShimLog(bundle) if carrier.logs else None)
        except (errors.Error, OSError) as error:
            log.warning("bundle %s: no task: %s", bundle.path, error)
            return None

    async def _clear_orphan(self, bundle: Bundle) -> None:
        try:
            await self.carriers.choose(ORPHAN_RUNTIME).cleanup(bundle)
        except errors.Error as error:
            log.warning("bundle %s: runtime not cleared: %s", bundle.path, error)
        try:
            await self.disk(self.bundles.delete, bundle)
        except (OSError, errors.Error) as error:
            log.error("bundle %s: not removed: %s", bundle.path, error)

    def lost(self, task: Task) -> None:
        """Its connection ended by itself: look for the shim again."""
        task.attach(None)
        self.background(self._recover(task))

    async def _lost(self, link: Link) -> None:
        orphans = [task for task in self._tasks.values() if task.link is link]
        if orphans:
            log.warning("shim %s: disconnected, %d tasks", link.path, len(orphans))
        for task in orphans:
            self.lost(task)

    async def _recover(self, task: Task) -> None:
        """Find the task's shim, however long it takes, or learn that it is dead."""
        pause = _FIRST_PAUSE
        while self._tasks.get(task.key) is task:
            try:
                async with self._slots:
                    link = await self._reach(task)
            except (errors.Error, TimeoutError) as error:
                if task.carrier.patient:
                    log.warning("%s: shim not reached: %s", task.subject, error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                    continue
                link = None
            if link is None:
                await self._bury(task)
            else:
                task.attach(link)
            return

    async def _reach(self, task: Task) -> Link | None:
        """The connection to the shim; None when there is no shim, or it knows no such task."""
        async with asyncio.timeout(self.timeouts.load):
            endpoint = await task.carrier.find(task.bundle, task.record)
            if endpoint is None:
                return None
            link = await self.links.take(endpoint)
            try:
                await link.call(task.bundle.namespace, "State", id=task.bundle.id)
            except errors.NotFound:
                await self.shut_down(link, task.bundle, task.record)
                await self.links.release(link)
                return None
            except BaseException:
                await self.links.release(link)
                raise
            return link

    async def _bury(self, task: Task) -> None:
        """The shim is dead: kill what it left, tell everybody, remove the rest."""
        log.warning("%s: its shim is dead, clearing up", task.subject)
        try:
            exited = await task.carrier.cleanup(task.bundle)
        except errors.Error as error:
            log.error("%s: not cleared up: %s", task.subject, error)
            exited = Exit(UNKNOWN_STATUS, time.time_ns(), id=task.bundle.id)
        if self._tasks.get(task.key) is task:
            deaths.announce(self._exchange, *task.key, exited)
        task.end(exited)
        await self.remove(task, shutdown=False)
