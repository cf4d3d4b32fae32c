"""How long another process in a container takes, and how soon the first byte of a new one is there."""

from __future__ import annotations

import os
import select
import time
from contextlib import ExitStack, closing
from pathlib import Path

from sides import Bench, Side, seconds
from tables import Row, percentile
from tenants import Tenant, rooms

_TIMEOUT = 30.0


def measure(bench: Bench) -> list[Row]:
    rows = []
    sides = (bench.ours, bench.theirs)
    with ExitStack() as stack:
        asleep = {
            side.name: _one(bench, side, stack, "asleep", "sleep", "100000") for side in (bench.ours, bench.theirs)
        }
        loud = {side.name: _one(bench, side, stack, "loud", "busybox", "echo", "hello") for side in sides}
        for tenant in asleep.values():
            tenant.create()
            tenant.start()
            stack.callback(tenant.kill)
        folder = bench.folder()
        times = 2 * bench.options.pairs
        execs = bench.in_turns(times, lambda side, number: _exec(asleep[side.name], number))
        firsts = bench.in_turns(times, lambda side, number: _first(loud[side.name], folder / f"{side.name}-{number}"))
        for name, found in (("exec of true", execs), ("Create to the first byte of output", firsts)):
            for percent in (50, 99):
                ours, theirs = (percentile(values, percent) for values in found)
                rows.append(Row(f"{name}, p{percent}", "ms", ours, theirs, "not slower" if percent == 50 else ""))
    return rows


def _one(bench: Bench, side: Side, stack: ExitStack, id: str, *words: str) -> Tenant:
    (made,) = stack.enter_context(rooms(side, [id], *words))
    return stack.enter_context(closing(Tenant(side, made, bench.options.binaries[0])))


def _exec(tenant: Tenant, number: int) -> float:
    return 1000 * seconds(lambda: tenant.exec(f"exec-{number}", "true"))


def _first(tenant: Tenant, fifo: Path) -> float:
    """Milliseconds until something can be read."""
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        began = time.perf_counter()
        tenant.create(str(fifo))
        waiting = tenant.wait()
        tenant.start()
        if not select.select([reader], [], [], _TIMEOUT)[0]:
            raise RuntimeError("no output")
        took = 1000 * (time.perf_counter() - began)
        tenant.waited(waiting)
        tenant.delete()
        return took
    finally:
        os.close(reader)
