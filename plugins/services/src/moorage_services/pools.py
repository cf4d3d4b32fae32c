"""Bounded worker pools: where a service calls what blocks.

There is one pool for each kind of work, so that hung mounts or a slow registry starve only their like. Threads start
with the first work and are few: the interpreter lets one run at a time anyway, except where it waits.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar

from moorage_sdk import callers

P = ParamSpec("P")
R = TypeVar("R")


class Closable(Protocol):
    def close(self) -> Any: ...


T = TypeVar("T", bound=Closable)


class Pool:
    """``threads`` workers with a name; work beyond that queues."""

    def __init__(self, name: str, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"moorage-{name}")

    def submit(self, work: Callable[..., R], *args: Any, **kwargs: Any) -> Future[R]:
        # The context goes along, and with it who waits for the result (``moorage_sdk.callers``).
        return self._executor.submit(contextvars.copy_context().run, work, *args, **kwargs)

    async def run(self, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """The result of ``work``. A caller that is cancelled gives up waiting; work that has begun goes on."""
        return await asyncio.wrap_future(self.submit(work, *args, **kwargs))

    def close(self) -> None:
        """Take no more work and drop what has not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class Pools:
    """A pool of ``threads`` workers for each of some names, made when it is first asked for."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._threads = threads
        self._pools: dict[str, Pool] = {}

    def named(self, name: str) -> Pool:
        """Called on the loop only."""
        if name not in self._pools:
            self._pools[name] = Pool(f"{self._name}-{name}", self._threads)
        return self._pools[name]

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


class Lane(Generic[T]):
    """Something that blocks and must be closed, in the hands of one call that may be cancelled at any moment.

    Opening, every use and closing run on the pool, never two at once, and closing always comes last::

        async with Lane(pool, lambda: content.reader(digest)) as lane:
            data = await lane.use(lambda reader: reader.read_at(0, 4096))
    """

    def __init__(self, pool: Pool, open: Callable[[], T]) -> None:
        self._pool = pool
        self._open = open
        self._opened: Future[T] | None = None
        self._running: Future[Any] | None = None

    async def __aenter__(self) -> Self:
        self._running = self._opened = self._pool.submit(self._open)
        del self._open  # it may hold a message of megabytes, and the lane of a cancelled call waits for a collection
        try:
            await asyncio.wrap_future(self._opened)
        except BaseException as error:
            _told(error)
            await asyncio.shield(self._finish())
            raise
        return self

    async def use(self, work: Callable[Concatenate[T, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of ``work`` on the resource, which is its first argument. A method of an interface is not it."""
        if self._opened is None:
            raise RuntimeError("a lane is used inside its async with block")
        self._running = future = self._pool.submit(work, self._opened.result(), *args, **kwargs)
        return await asyncio.wrap_future(future)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        _told(error)
        await asyncio.shield(self._finish())

    async def _finish(self) -> None:
        if self._running is not None and not self._running.done():
            await asyncio.wait([asyncio.wrap_future(self._running)])
        opened = self._opened
        if opened is not None and not opened.cancelled() and opened.exception() is None:
            await self._pool.run(opened.result().close)


def _told(error: BaseException | None) -> None:
    """What is waited for before a lane is closed must know that nobody waits for its result any more."""
    caller = callers.current()
    if caller is not None and isinstance(error, asyncio.CancelledError):
        caller.leave()
