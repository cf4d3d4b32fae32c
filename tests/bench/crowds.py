"""Many containers that sleep: what each more costs in memory, and how soon a daemon that starts anew serves them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing

import memories
from sides import Bench, Side, seconds
from tables import Row
from tenants import Room, Tenant, rooms

from moorage_client.clients import connect
from moorage_sdk.tasks import Status

_FEW = 100
"""Of which there are as many on both sides; more than some hundred of containerd's shims are left out."""


def measure(bench: Bench) -> list[Row]:
    """The binary does not matter: it is gone while they sleep."""
    many, restarted = bench.options.crowd, bench.options.restarted
    ours = _Crowd(bench, bench.ours, sorted({1, _FEW, restarted, many}), restarted).measured()
    theirs = _Crowd(bench, bench.theirs, sorted({1, _FEW, restarted}), restarted).measured()
    rows = [
        Row(f"memory with {count} asleep", "MiB", ours.sizes[count], theirs.sizes.get(count)) for count in ours.sizes
    ]
    each = [1024 * _slope(crowd.sizes) for crowd in (ours, theirs)]
    return [
        *rows,
        Row("memory of each more", "KiB", each[0], each[1], "<= 40 KiB"),
        Row(f"restart until {restarted} are served", "s", ours.restart, theirs.restart, "<= 1 s"),
    ]


def _slope(sizes: dict[int, float]) -> float:
    """MiB of each container beyond the few, which no fixed cost is part of."""
    most = max(sizes)
    return (sizes[most] - sizes[_FEW]) / (most - _FEW)


class _Crowd:
    """One side's, growing to each of ``counts``; the daemon is restarted at one of them."""

    def __init__(self, bench: Bench, side: Side, counts: Sequence[int], restarted: int) -> None:
        self.sizes: dict[int, float] = {}
        self.restart = 0.0
        self._side = side
        self._counts = counts
        self._restarted = restarted

    def measured(self) -> _Crowd:
        ids = [f"crowd-{number}" for number in range(max(self._counts))]
        with ExitStack() as stack:
            made = stack.enter_context(rooms(self._side, ids, "sleep", "100000"))
            for earlier, count in zip((0, *self._counts), self._counts, strict=False):
                for room in made[earlier:count]:
                    stack.callback(_end, self._side, room)
                    with closing(Tenant(self._side, room)) as tenant:
                        tenant.create()
                        tenant.start()
                time.sleep(memories.SETTLE)
                self.sizes[count] = memories.group_size(memories.group(self._side))
                if count == self._restarted:
                    self.restart = self._restart(count)
        return self

    def _restart(self, count: int) -> float:
        """Seconds from the start of the process to a list of all that run."""
        self._side.daemon.terminate()
        return seconds(lambda: self._serve(count))

    def _serve(self, count: int) -> None:
        self._side.daemon.start()
        while asyncio.run(_running(self._side)) < count:
            time.sleep(0.01)


def _end(side: Side, room: Room) -> None:
    with closing(Tenant(side, room)) as tenant:
        tenant.kill()


async def _running(side: Side) -> int:
    async with connect(side.daemon.address, side.name) as client:
        return sum(process.status is Status.RUNNING for process in await client.tasks.list())
