"""The monitor: who is looked at, and when."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import Executor
from functools import partial

from moorage_restart_monitor import paces, policies
from moorage_restart_monitor.exits import Exits
from moorage_restart_monitor.paces import Pace
from moorage_restart_monitor.policies import Verdict
from moorage_restart_monitor.tasks import Restarter
from moorage_sdk import errors
from moorage_sdk.container_monitors import ContainerMonitor
from moorage_sdk.containers import Container
from moorage_sdk.events import Exchange
from moorage_sdk.metadata import Change, Metadata
from moorage_sdk.tasks import Process, TaskManager

log = logging.getLogger(__name__)

PARALLEL = 16
"""Containers that are asked about, or started, at the same time: after a reboot it may be all of the node."""

Key = tuple[str, str]
"""Namespace and id."""


class RestartMonitor(ContainerMonitor):
    """Looks at labelled containers every ``interval`` seconds, and at one when it exits.

    Each is tended by one coroutine at a time. Records are read on ``pool`` when anything in the store has changed.
    """

    def __init__(
        self, metadata: Metadata, tasks: TaskManager, exchange: Exchange, interval: float, pool: Executor
    ) -> None:
        self._metadata = metadata
        self._tasks = tasks
        self._exchange = exchange
        self._interval = interval
        self._pool = pool
        self._restarter = Restarter(metadata, tasks, pool)
        self._slots = asyncio.Semaphore(PARALLEL)
        self._paces: dict[Key, Pace] = {}
        self._tended: dict[Key, asyncio.Task[None]] = {}
        self._missed: set[Key] = set()
        self._known: tuple[Key, ...] = ()
        self._changed = True
        self._loop = asyncio.get_running_loop()
        self._exits: Exits | None = None
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        metadata.watch(self._note)

    def start(self) -> None:
        """Begin; the first look is when the daemon serves, so that what should run after a reboot does."""
        self._exits = Exits(self._exchange, lambda *key: self._tend(key))
        self._running = self._loop.create_task(self._run())

    def close(self) -> None:
        """Leave all containers as they are."""
        self._closed = True
        for task in (self._running, *self._tended.values()):
            if task is not None:
                task.cancel()
        if self._exits is not None:
            self._exits.close()

    async def reconcile(self) -> None:
        self._changed = True
        await self._sweep()
        while self._tended:
            await asyncio.wait(self._tended.values())

    async def _run(self) -> None:
        pause = paces.FIRST  # to read all records is work, and a daemon that starts has other work
        while True:
            await asyncio.sleep(pause)
            await self._sweep()
            pause = self._interval

    async def _sweep(self) -> None:
        """Look at everybody who is labelled, or about whom something is remembered."""
        if self._changed:
            self._changed = False
            try:
                self._known = await asyncio.wrap_future(self._pool.submit(self._labelled))
            except Exception:
                self._changed = True
                log.exception("containers are not listed")
        for key in self._paces.keys() - set(self._known) - self._tended.keys():
            del self._paces[key]
        for key in self._known:
            self._tend(key)

    def _labelled(self) -> tuple[Key, ...]:
        return tuple(
            (namespace.name, container.id)
            for namespace in self._metadata.namespaces.list()
            for container in self._metadata.view(namespace.name).containers.list()
            if policies.STATUS in container.labels
        )

    def _tend(self, key: Key) -> None:
        if self._closed:
            return
        if key in self._tended:
            self._missed.add(key)
            return
        task = self._loop.create_task(self._look_after(*key))
        self._tended[key] = task
        task.add_done_callback(partial(self._finished, key))

    def _finished(self, key: Key, task: asyncio.Task[None]) -> None:
        del self._tended[key]
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error('container "%s" in namespace "%s": not looked after', key[1], key[0], exc_info=error)
        elif key in self._missed:
            self._missed.discard(key)
            self._tend(key)

    async def _look_after(self, namespace: str, id: str) -> None:
        """Do what the labels ask for, now or when it is time, if they still ask for it then."""
        try:
            verdict, pause = await self._verdict(namespace, id)
            while pause:
                await asyncio.sleep(pause)
                verdict, pause = await self._verdict(namespace, id)
            await self._act(namespace, id, verdict)
        except (errors.NotFound, errors.AlreadyExists) as error:
            log.debug('container "%s" in namespace "%s": somebody was faster: %s', id, namespace, error)
        except errors.Error as error:
            log.warning('container "%s" in namespace "%s": not brought to its state: %s', id, namespace, error)

    async def _verdict(self, namespace: str, id: str) -> tuple[Verdict, float]:
        """What is to be done, and how many seconds later to ask again instead."""
        self._missed.discard((namespace, id))
        async with self._slots:
            container, process = await self._facts(namespace, id)
        verdict = policies.judge(container.labels, process) if container else Verdict.LEAVE
        if container and verdict is Verdict.START:
            pause = self._pace(namespace, id).down(time.monotonic())
            return verdict, max(pause, paces.settling(container, process))
        if (namespace, id) in self._paces:
            self._pace(namespace, id).up(time.monotonic())
        return verdict, 0.0

    async def _facts(self, namespace: str, id: str) -> tuple[Container | None, Process | None]:
        """The record and the task. A task that cannot be asked is neither missing nor ended: errors.Unavailable."""
        try:
            container = self._metadata.view(namespace).containers.get(id)
        except errors.NotFound:
            return None, None
        if policies.STATUS not in container.labels:
            return None, None
        try:
            return container, await self._tasks.get(namespace, id)
        except errors.NotFound:
            return container, None

    async def _act(self, namespace: str, id: str, verdict: Verdict) -> None:
        async with self._slots:
            if verdict is Verdict.START:
                log.info('container "%s" in namespace "%s": starting it again', id, namespace)
                await self._start(namespace, id)
            elif verdict is Verdict.STOP:
                log.info('container "%s" in namespace "%s": stopping it', id, namespace)
                await self._restarter.stop(namespace, id)

    async def _start(self, namespace: str, id: str) -> None:
        pace = self._pace(namespace, id)
        pace.started(time.monotonic())
        try:
            await self._restarter.start(namespace, id)
        except errors.Error:
            self._loop.call_later(pace.down(time.monotonic()), self._tend, (namespace, id))
            raise

    def _pace(self, namespace: str, id: str) -> Pace:
        return self._paces.setdefault((namespace, id), Pace(self._interval))

    def _note(self, change: Change) -> None:
        self._changed = True
