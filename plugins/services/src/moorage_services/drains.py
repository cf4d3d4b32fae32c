"""Calls that only wait, and the daemon's end.

A subscription or a Wait would use up the whole grace that running requests get, and some client always has one. So they
end as soon as the daemon stops, with the error upon which clients connect again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from moorage_sdk import errors, hooks

R = TypeVar("R")


class Drain:
    """Knows who waits. Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[Any]] = set()
        self._stopping = False

    async def wait(self, work: Coroutine[Any, Any, R]) -> R:
        """The result of ``work``. Raises errors.Unavailable when the daemon stops first."""
        waiting = asyncio.get_running_loop().create_task(work)
        self._waiting.add(waiting)
        if self._stopping:
            waiting.cancel()
        try:
            return await waiting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._stopping or (task is not None and task.cancelling()):
                raise
            raise errors.Unavailable("daemon: is stopping: unavailable") from None
        finally:
            waiting.cancel()
            self._waiting.discard(waiting)

    def stop(self) -> None:
        """End all that wait now or begin to."""
        self._stopping = True
        for waiting in self._waiting:
            waiting.cancel()


DRAIN = Drain()
"""That of the daemon, which has one loop and stops once."""


@hooks.impl
def daemon_stopping() -> None:
    """No new requests from here on (``moorage_sdk.hooks``)."""
    DRAIN.stop()
