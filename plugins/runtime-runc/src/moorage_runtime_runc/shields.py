"""Work that is not given up when whoever asked for it goes away.

A daemon may die while its call is under way. What a runtime has begun cannot be taken back then, so it is brought to
its end and recorded; only the answer is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

_running: set[asyncio.Task[Any]] = set()


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, which goes on by itself when this is cancelled."""
    return await asyncio.shield(_begin(work))


def _begin(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.create_task(work)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, which this waits for however often it is cancelled. Then it raises that, afterwards."""
    task, cancelled = _begin(work), False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if not cancelled:
        return task.result()
    if not task.cancelled() and task.exception() is not None:
        log.info("failed after its caller had gone: %s", task.exception())
    raise asyncio.CancelledError


async def settled(timeout: float) -> bool:
    """Wait until nothing goes on any more, at most ``timeout`` seconds; whether that is so."""
    if _running:
        await asyncio.wait(set(_running), timeout=timeout)
    return not _running


def quiet() -> bool:
    """Whether nothing goes on."""
    return not _running


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and task.exception() is not None:
        log.debug("ended with %r", task.exception())  # whoever still waits hears of it, too
