"""Finding shims again: those of an earlier daemon, and those whose connection broke; and burying the dead ones."""

from __future__ import annotations

import asyncio
import logging
import time

from moorage_sdk import errors
from moorage_sdk.events import Exchange
from moorage_sdk.tasks import Bundle, Exit
from moorage_tasks_shim import deaths, records
from moorage_tasks_shim.carriers import UNKNOWN_STATUS
from moorage_tasks_shim.logs import ShimLog
from moorage_tasks_shim.registries import Registry
from moorage_tasks_shim.shims import Link
from moorage_tasks_shim.tasks import Task

log = logging.getLogger(__name__)

PARALLEL = 16
"""Shims that are looked for at the same time."""

ORPHAN_RUNTIME = "io.containerd.runc.v2"
"""Who clears up a bundle that does not say whose it is."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class Recovery:
    """Loads the tasks of an earlier daemon once, before anything else is answered."""

    def __init__(self, registry: Registry, exchange: Exchange) -> None:
        self._registry = registry
        self._exchange = exchange
        self._loading: asyncio.Task[None] | None = None
        self._slots = asyncio.Semaphore(PARALLEL)
        registry.on_lost(self._search)

    async def loaded(self) -> None:
        """Returns when the tasks of an earlier daemon are known again. The first caller starts the search."""
        if self._loading is None:
            self._loading = self._registry.background(self._load())
        if not self._loading.done():
            await asyncio.shield(self._loading)

    def _search(self, task: Task) -> asyncio.Task[None]:
        return self._registry.background(self._recover(task))

    async def _load(self) -> None:
        try:
            found = await self._registry.disk(lambda: list(self._registry.bundles.all()))
            await asyncio.gather(*map(self._load_bundle, found))
            await self._registry.disk(self._registry.bundles.tidy, self._registry.keys())
        except (OSError, errors.Error) as error:
            log.error("tasks of an earlier daemon: not all are in order: %s", error)

    async def _load_bundle(self, bundle: Bundle) -> None:
        task = await self._remembered(bundle)
        if task is None:
            await self._clear_orphan(bundle)
            return
        self._registry.add(task)
        recovery = self._search(task)
        # A shim that takes longer must not hold up the others' tasks: the search goes on, calls get Unavailable.
        await asyncio.wait([recovery], timeout=self._registry.timeouts.load)

    async def _remembered(self, bundle: Bundle) -> Task | None:
        try:
            record = await self._registry.disk(records.load, bundle)
            carrier = self._registry.carriers.remembered(record)
            return Task(bundle, record, carrier, ShimLog(bundle) if carrier.logs else None)
        except (errors.Error, OSError) as error:
            log.warning("bundle %s: no task: %s", bundle.path, error)
            return None

    async def _clear_orphan(self, bundle: Bundle) -> None:
        try:
            await self._registry.carriers.choose(ORPHAN_RUNTIME).cleanup(bundle)
        except errors.Error as error:
            log.warning("bundle %s: runtime not cleared: %s", bundle.path, error)
        try:
            await self._registry.disk(self._registry.bundles.delete, bundle)
        except (OSError, errors.Error) as error:
            log.error("bundle %s: not removed: %s", bundle.path, error)

    async def _recover(self, task: Task) -> None:
        """Find the task's shim, however long it takes, or learn that it is dead."""
        pause = _FIRST_PAUSE
        while self._registry.holds(task):
            try:
                async with self._slots:
                    link = await self._reach(task)
            except Exception as error:  # noqa: BLE001 - a runtime is foreign code, and its fault no reason to kill
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
        async with asyncio.timeout(self._registry.timeouts.load):
            endpoint = await task.carrier.find(task.bundle, task.record)
            if endpoint is None:
                return None
            link = await self._registry.links.take(endpoint)
            try:
                await link.call(task.bundle.namespace, "State", id=task.bundle.id)
            except errors.NotFound:
                await self._registry.shut_down(link, task.bundle)
                await self._registry.links.release(link)
                return None
            except BaseException:
                await self._registry.links.release(link)
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
        if self._registry.holds(task):
            deaths.announce(self._exchange, *task.key, exited)
        task.end(exited)
        await self._registry.remove(task, shutdown=False)
