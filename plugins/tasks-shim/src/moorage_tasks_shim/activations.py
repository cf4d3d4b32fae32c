"""Root file systems that need more than mount(2): activated before a shim sees them.

As ``core/runtime/v2/task_manager.go`` has it. The activation goes by the task's id and lives as long as its container,
or until the task is deleted, whichever is first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from moorage_api.messages import types
from moorage_sdk import errors, labels
from moorage_sdk.activations import MountManager
from moorage_sdk.tasks import Creation
from moorage_tasks_shim.binaries import Binary

log = logging.getLogger(__name__)

ALLOWED = "containerd.io/runtime-allow-mounts"
"""Annotation by which a runtime tells the types of mounts that it does by itself, joined by commas."""

R = TypeVar("R")


class Activations:
    """``manager`` is None where no plugin fills the slot; then mounts go to the shims as they are."""

    def __init__(self, manager: MountManager | None) -> None:
        self._manager = manager
        self._allowed: dict[str, tuple[str, ...]] = {}
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="moorage-rootfs")

    async def activate(self, namespace: str, creation: Creation, shim: Binary | None) -> tuple[Creation, bool]:
        """The creation with what is left for the shim to mount, and whether it has to be undone if it fails.

        ``shim`` is None for a runtime that does nothing by itself. Raises as the manager.
        """
        manager = self._manager
        if manager is None or not manager.concerns(creation.rootfs):
            return creation, False
        allowed = await self._told(shim) if shim else ()
        async with self._turn(namespace, creation.id):
            return await self._run(self._activate, manager, namespace, creation, allowed)

    async def deactivate(self, namespace: str, id: str) -> None:
        """The task is gone. Collections try again what fails here, which is logged."""
        if self._manager is None:
            return
        try:
            async with self._turn(namespace, id):
                await self._run(self._manager.deactivate, namespace, id)
        except errors.NotFound:
            return
        except errors.Error as error:
            log.warning('mounts of task "%s" in namespace "%s": not undone: %s', id, namespace, error)

    @staticmethod
    def _activate(
        manager: MountManager, namespace: str, creation: Creation, allowed: tuple[str, ...]
    ) -> tuple[Creation, bool]:
        kept = {labels.GC_BACK_REF + "container": creation.id}
        try:
            done = manager.activate(namespace, creation.id, creation.rootfs, labels=kept, allowed=allowed)
        except errors.Unimplemented:
            if allowed:  # the shim does all of it by itself
                return creation, False
            raise
        except errors.AlreadyExists:
            # Of an earlier task of the container, which could not end it, or made by the client for this one.
            return replace(creation, rootfs=manager.info(namespace, creation.id).system), False
        return replace(creation, rootfs=done.system), True

    def _turn(self, namespace: str, id: str) -> asyncio.Lock:
        """First come, first served: a new task must not use what the one before it is about to undo."""
        return self._turns.setdefault((namespace, id), asyncio.Lock())

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _told(self, shim: Binary) -> tuple[str, ...]:
        """What the shim can mount by itself; asked for once, since it is a process each time."""
        path = str(shim.path)
        if path not in self._allowed:
            try:
                said = types.RuntimeInfo.FromString(await shim.info(b""))
            except (errors.Error, ValueError) as error:
                log.warning("%s: not known what it mounts by itself: %s", path, error)
                return ()
            self._allowed[path] = tuple(filter(None, said.annotations[ALLOWED].split(",")))
        return self._allowed[path]

    async def _run(self, work: Callable[..., R], *args: Any) -> R:
        """A mount may take long, and must not keep from work those who look after bundles."""
        return await asyncio.wrap_future(self._pool.submit(work, *args))
