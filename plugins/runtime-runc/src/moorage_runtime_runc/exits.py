"""The order in which exits are told: after the start, and init's after those of all others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from moorage_runtime_runc.processes import Process
from moorage_runtime_runc.reapers import Ended, Watch
from moorage_sdk import errors

log = logging.getLogger(__name__)


class Exits:
    """Waits for the processes of one container and calls ``tell`` for each, once, in the right order."""

    def __init__(self, init: Process, tell: Callable[[Process, Ended], None]) -> None:
        self._init = init
        self._tell = tell
        self._active: set[Process] = set()
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._untold: set[Watch] = set()
        self.init_gone = False

    @property
    def telling(self) -> bool:
        """Whether something has ended that is not told yet."""
        return any(watch.ended.done() for watch in self._untold)

    def follow_init(self, watch: Watch, first: Callable[[], Awaitable[None]]) -> None:
        """From now on init's exit is taken care of; ``first`` is done before it is told."""
        self._untold.add(watch)
        self._spawn(self._init_ended(watch, first))

    def follow_exec(self, process: Process, watch: Watch) -> None:
        """From now on the exec's exit is taken care of; its start was announced."""
        self._untold.add(watch)
        self._spawn(self._exec_ended(process, watch))

    def enter(self, process: Process) -> None:
        """An exec is about to start: init's exit waits for it. Raises errors.FailedPrecondition if that happened."""
        if self.init_gone:
            name = self._init.id
            raise errors.FailedPrecondition(f"container {name} init process is not running: failed precondition")
        self._active.add(process)

    async def leave(self, process: Process) -> None:
        """It did not start after all, or its exit was told."""
        self._active.discard(process)
        await self.changed()

    async def changed(self) -> None:
        """Look again whether init's exit can be told: its start is over."""
        async with self._changed:
            self._changed.notify_all()

    async def close(self) -> None:
        """Stop waiting; another monitor takes the processes over."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _init_ended(self, watch: Watch, first: Callable[[], Awaitable[None]]) -> None:
        how = await watch.ended
        self.init_gone = True
        try:
            await first()
        except Exception:  # the exit must be told, whatever became of what should come before it
            log.exception("process %s: what its exit calls for failed", self._init.id)
        async with self._changed:
            await self._changed.wait_for(lambda: not self._active and not self._init.starting)
        self._tell(self._init, how)
        self._untold.discard(watch)

    async def _exec_ended(self, process: Process, watch: Watch) -> None:
        self._tell(process, await watch.ended)
        self._untold.discard(watch)
        await self.leave(process)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
