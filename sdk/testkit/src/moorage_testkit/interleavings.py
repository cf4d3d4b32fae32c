"""Interleavings: a coroutine run again and again, each time with its tasks in another order.

    for seed in range(1000):
        interleavings.run(lambda: race(seed), seed)

Time is virtual: where nobody is ready it jumps to the next timer, so that sleeping costs nothing, and where there is
no timer either nobody will ever go on, which is an AssertionError. So only what waits for no descriptor can be run;
what goes to a thread is done between two steps of others. What a seed has shown it shows again.
"""

from __future__ import annotations

import asyncio
import io
import random
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Callable[[], Coroutine[Any, Any, T]], seed: int) -> T:
    """What ``work()`` returns. Raises AssertionError when it gets stuck, and when it leaves tasks behind."""
    loop = Loop(seed)
    try:
        result = loop.run_until_complete(work())
        left = asyncio.all_tasks(loop)
        assert not left, f"seed {seed}: left behind:\n{_stacks(left)}"
        return result
    finally:
        _cancel(loop)
        loop.close()


class Loop(asyncio.SelectorEventLoop):
    """Runs one ready callback at a time, any of them, and reads its clock from the timers."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed
        self._chance = random.Random(seed)
        self._now = 0.0
        self._ready: deque[asyncio.Handle]
        self._scheduled: list[asyncio.TimerHandle]

    def time(self) -> float:
        return self._now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """As ``asyncio.to_thread`` has it done."""
        future = self.create_future()
        self.call_soon(self._do, future, func, args)
        return future

    def _do(self, future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if future.cancelled():
            return
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - for whoever waits
            future.set_exception(error)

    def _run_once(self) -> None:
        # Of base_events, and the same in all versions from 3.11 to 3.14: it runs what is in _ready, and adds to that
        # the timers that are due.
        others = self._all_but_one()
        if not self._ready:
            self._jump()
        super()._run_once()  # type: ignore[misc]
        self._ready.extend(others)

    def _all_but_one(self) -> list[asyncio.Handle]:
        chosen = self._chance.randrange(len(self._ready)) if self._ready else 0
        self._ready.rotate(-chosen)
        others = list(self._ready)[1:]
        while len(self._ready) > 1:
            self._ready.pop()
        return others

    def _jump(self) -> None:
        due = min((timer.when() for timer in self._scheduled if not timer.cancelled()), default=None)
        assert due is not None, f"seed {self._seed}: nobody can go on:\n{_stacks(asyncio.all_tasks(self))}"
        self._now = max(self._now, due)


def _cancel(loop: asyncio.AbstractEventLoop) -> None:
    """End what a failed run has left, so that nothing complains of it later."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        with suppress(AssertionError):  # what is stuck may be stuck again
            loop.run_until_complete(asyncio.wait(left))


def _stacks(tasks: set[asyncio.Task[Any]]) -> str:
    text = io.StringIO()
    for task in tasks:
        task.print_stack(file=text)
    return text.getvalue()
