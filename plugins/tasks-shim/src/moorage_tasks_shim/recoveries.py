"""Finding shims again: those of an earlier daemon, and those whose connection broke; and burying the dead ones."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Generic, TypeVar

from moorage_sdk import errors
from moorage_sdk.events import Exchange
from moorage_sdk.tasks import Bundle, Exit
from moorage_tasks_shim import deaths, records
from moorage_tasks_shim.carriers import UNKNOWN_STATUS
from moorage_tasks_shim.logs import ShimLog
from moorage_tasks_shim.registries import Registry
from moorage_tasks_shim.residents import Resident
from moorage_tasks_shim.shims import Link

log = logging.getLogger(__name__)

PARALLEL = 16
"""Shims that are looked for at the same time."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


T = TypeVar("T", bound=Resident)


class Recovery(Generic[T]):
    """Loads the tasks, or the sandboxes, of an earlier daemon once, before anything else is answered."""

    def __init__(self, registry: Registry[T], exchange: Exchange) -> None:
        self._registry = registry
        self._exchange = exchange
        self._loading: asyncio.Task[None] | None = None
        self._others: list[Recovery[Any]] = []
        self._slots = asyncio.Semaphore(PARALLEL)
        registry.on_lost(self._search)

    async def loaded(self) -> None:
        """Returns when those of an earlier daemon are known again. The first caller starts the search."""
        for other in self._others:
            await other.loaded()
        if self._loading is None:
            self._loading = self._registry.background(self._load())
        if not self._loading.done():
            await asyncio.shield(self._loading)

    def follow(self, other: Recovery[Any]) -> None:
        """What ``other`` loads must be known, too: a shim is not shut down while a resident of another kind uses it."""
        self._others.append(other)

    def _search(self, resident: T) -> asyncio.Task[None]:
        return self._registry.background(self._recover(resident))

    async def _load(self) -> None:
        try:
            found = await self._registry.disk(lambda: list(self._registry.bundles.all()))
            await asyncio.gather(*map(self._load_bundle, found))
            await self._registry.disk(self._registry.bundles.tidy, self._registry.keys())
        except (OSError, errors.Error) as error:
            log.error("%s of an earlier daemon: not all are in order: %s", self._registry.kind.kind, error)

    async def _load_bundle(self, bundle: Bundle) -> None:
        resident = await self._remembered(bundle)
        if resident is None:
            await self._clear_orphan(bundle)
            return
        self._registry.add(resident)
        recovery = self._search(resident)
        # A shim that takes longer must not hold up the others' tasks: the search goes on, calls get Unavailable.
        await asyncio.wait([recovery], timeout=self._registry.timeouts.load)

    async def _remembered(self, bundle: Bundle) -> T | None:
        try:
            record = await self._registry.disk(records.load, bundle)
            carrier = self._registry.carriers.remembered(record)
            return self._registry.kind(bundle, record, carrier, ShimLog(bundle))
        except (errors.Error, OSError) as error:
            log.warning("bundle %s: no %s: %s", bundle.path, self._registry.kind.kind, error)
            return None

    async def _clear_orphan(self, bundle: Bundle) -> None:
        try:
            if self._registry.kind.orphans:
                await self._registry.carriers.choose(self._registry.kind.orphans).cleanup(bundle)
        except errors.Error as error:
            log.warning("bundle %s: runtime not cleared: %s", bundle.path, error)
        try:
            await self._registry.disk(self._registry.bundles.delete, bundle)
        except (OSError, errors.Error) as error:
            log.error("bundle %s: not removed: %s", bundle.path, error)

    async def _recover(self, resident: T) -> None:
        """Find the resident's shim, however long it takes, or learn that it is dead."""
        pause = _FIRST_PAUSE
        while self._registry.holds(resident):
            try:
                async with self._slots:
                    link = await self._reach(resident)
            except Exception as error:  # noqa: BLE001 - a runtime is foreign code, and its fault no reason to kill
                if resident.carrier.patient:
                    log.warning("%s: shim not reached: %s", resident.subject, error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                    continue
                link = None
            if link is None:
                await self._bury(resident)
            else:
                resident.attach(link)
            return

    async def _reach(self, resident: T) -> Link | None:
        """The connection to the shim; None when there is no shim, or it knows no such resident."""
        async with asyncio.timeout(self._registry.timeouts.load):
            endpoint = await resident.find()
            if endpoint is None:
                return None
            link = await self._registry.links.take(endpoint)
            try:
                await resident.greet(link)
            except errors.NotFound:
                await self._registry.shut_down(link, resident.bundle)
                await self._registry.links.release(link)
                return None
            except BaseException:
                await self._registry.links.release(link)
                raise
            return link

    async def _bury(self, resident: T) -> None:
        """The shim is dead: kill what it left, tell everybody, remove the rest."""
        log.warning("%s: its shim is dead, clearing up", resident.subject)
        try:
            exited = await resident.clean_up()
        except errors.Error as error:
            log.error("%s: not cleared up: %s", resident.subject, error)
            exited = Exit(UNKNOWN_STATUS, time.time_ns(), id=resident.bundle.id)
        if self._registry.holds(resident):
            deaths.announce(self._exchange, *resident.key, exited)
        resident.end(exited)
        await self._registry.remove(resident, shutdown=False)
