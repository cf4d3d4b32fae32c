"""All tasks of the daemon, or all its sandboxes, and what they share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from moorage_sdk import errors
from moorage_sdk.tasks import Bundle
from moorage_tasks_shim.binaries import Timeouts
from moorage_tasks_shim.bundles import Bundles
from moorage_tasks_shim.carriers import Carriers
from moorage_tasks_shim.residents import Resident
from moorage_tasks_shim.shims import Link, Links

log = logging.getLogger(__name__)

GRACE = 10.0
"""Seconds that work goes on for which nobody waits any more: to finish is the cleaner end, as long as there is one."""

R = TypeVar("R")
T = TypeVar("T", bound=Resident)


class Registry(Generic[T]):
    """Residents of one ``kind`` by namespace and id, with the pool and the background work that they share.

    ``links`` are shared with the residents of other kinds, so that a shim is known to be used by both.
    """

    def __init__(
        self, kind: type[T], bundles: Bundles, carriers: Carriers, timeouts: Timeouts, links: Links | None = None
    ) -> None:
        self.kind = kind
        self.bundles = bundles
        self.carriers = carriers
        self.timeouts = timeouts
        self.links = links or Links()
        self.links.on_lost(self._lost)
        self._owns_links = links is None
        self._disk = ThreadPoolExecutor(4, thread_name_prefix=f"moorage-{kind.kind}")
        self._residents: dict[tuple[str, str], T] = {}
        self._begun: set[tuple[str, str]] = set()
        self._going: dict[tuple[str, str], asyncio.Event] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._search: Callable[[T], object] | None = None
        self._ended: Callable[[str, str], Awaitable[None]] | None = None
        self._neighbours: list[Registry[Any]] = []

    def get(self, namespace: str, id: str) -> T:
        """Raises errors.NotFound."""
        resident = self._residents.get((namespace, id))
        if resident is None:
            raise errors.NotFound(f'{self.kind.kind} "{id}" in namespace "{namespace}": not found')
        return resident

    def of(self, namespace: str) -> list[T]:
        """Those of a namespace, by id."""
        return [self._residents[key] for key in sorted(self._residents) if key[0] == namespace]

    def has(self, namespace: str, id: str) -> bool:
        return (namespace, id) in self._residents

    def meet(self, other: Registry[Any]) -> None:
        """Neither takes an id that the other has, for a shim's socket goes by it. To be said to both."""
        self._neighbours.append(other)

    def taken(self, namespace: str, id: str) -> bool:
        """Whether anybody has the id, or is being made with it."""
        key = (namespace, id)
        return any(each.has(*key) or key in each._begun for each in (self, *self._neighbours))

    async def make(
        self,
        namespace: str,
        id: str,
        work: Callable[[], Coroutine[Any, Any, R]],
        undo: Callable[[R], Awaitable[None]],
    ) -> R:
        """Do ``work``, which makes a resident of that id, and whose result is the answer.

        One that had the id before is removed to the end first, for both have the same bundle.
        A caller that is cancelled leaves nothing: the work goes on to its end, and is undone behind its back. What has
        no end soon is cancelled, too.
        Raises errors.AlreadyExists, and as ``work`` does.
        """
        while going := self._going.get((namespace, id)):
            await going.wait()
        if self.taken(namespace, id):
            raise errors.AlreadyExists(f'{self.kind.kind} "{id}" in namespace "{namespace}": already exists')
        self._begun.add((namespace, id))
        making = asyncio.get_running_loop().create_task(work())
        making.add_done_callback(lambda _: self._begun.discard((namespace, id)))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            self.background(_abandon(making, undo))
            raise

    def host(self, namespace: str, id: str) -> Resident | None:
        """Whose shim a container of the sandbox ``id`` may live in: a sandbox's, or that of the first container of a
        pod, which goes by the pod's id."""
        hosts = (each.get(namespace, id) for each in (*self._neighbours, self) if each.has(namespace, id))
        return next(hosts, None)

    def add(self, resident: T) -> None:
        self._residents[resident.key] = resident

    def keys(self) -> frozenset[tuple[str, str]]:
        """Namespace and id of each."""
        return frozenset(self._residents)

    def holds(self, resident: T) -> bool:
        """Whether it is still this very one that goes by its id."""
        return self._residents.get(resident.key) is resident

    def on_lost(self, search: Callable[[T], object]) -> None:
        """Call ``search`` for each whose connection ends by itself."""
        self._search = search

    def on_ended(self, ended: Callable[[str, str], Awaitable[None]]) -> None:
        """Call ``ended`` with namespace and id of each that is removed, when nothing is left of its bundle."""
        self._ended = ended

    def lost(self, resident: T) -> None:
        """Its connection ended by itself: the shim is out of reach until it is found again."""
        resident.attach(None)
        if self._search:
            self._search(resident)

    async def disk(self, work: Callable[..., R], *args: Any) -> R:
        """Run what touches files and mounts. Work that has begun goes on when the caller is cancelled."""
        return await asyncio.wrap_future(self._disk.submit(work, *args))

    def background(self, work: Any) -> asyncio.Task[None]:
        """Run a coroutine that nobody waits for; it is cancelled by ``close``."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._finished)
        return task

    async def finish(self, work: Coroutine[Any, Any, R]) -> R:
        """The result of ``work``, which goes on by itself when this is cancelled, until ``close``."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # perhaps nobody is left to hear it
        return await asyncio.shield(task)

    def close(self) -> None:
        """Let go of all shims; they and their containers live on."""
        for task in list(self._background):
            task.cancel()
        if self._owns_links:
            self.links.abandon()
        for each in self._residents.values():
            if each.log:
                each.log.close()
        self._disk.shutdown(wait=False, cancel_futures=True)

    async def remove(self, resident: T, *, shutdown: bool = True, undone: bool = False) -> None:
        """It is deleted, or ``undone`` because it could not be made: forget it, tell its shim, and remove the bundle.

        What fails is logged.
        """
        gone = asyncio.Event()
        if self.holds(resident):
            del self._residents[resident.key]
            self._going[resident.key] = gone
        try:
            await self._remove(resident, shutdown)
            if self._ended and not undone:
                await self._ended(*resident.key)
        finally:
            if self._going.get(resident.key) is gone:
                del self._going[resident.key]
            gone.set()

    async def _remove(self, resident: T, shutdown: bool) -> None:
        link = resident.link
        resident.remove()  # before anything is awaited: a link is released once
        if link is not None:
            if shutdown:
                await self.shut_down(link, resident.bundle)
            await self.links.release(link)
        if resident.log:
            resident.log.close()
        try:
            await self.disk(self.bundles.delete, resident.bundle)
        except (OSError, errors.Error) as error:
            log.error("%s: bundle not removed: %s", resident.subject, error)

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
            log.error("work on %ss: failed", self.kind.kind, exc_info=error)

    async def _lost(self, link: Link) -> None:
        orphans = [each for each in self._residents.values() if each.link is link and not each.leaving]
        if orphans:
            log.warning("shim %s: disconnected (%s: %d)", link.path, self.kind.kind, len(orphans))
        for resident in orphans:
            self.lost(resident)


async def _abandon(making: asyncio.Task[R], undo: Callable[[R], Awaitable[None]]) -> None:
    """The caller is gone, and would not know of what was made."""
    await asyncio.wait([making], timeout=GRACE)
    if not making.done():
        making.cancel()  # which undoes it: a shim that never answers would keep the id for ever
        await asyncio.wait([making])
    if not making.cancelled() and making.exception() is None:
        await undo(making.result())
