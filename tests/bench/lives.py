"""How many containers live and end in a second, how long that takes for one, and what it costs.

The same binary for both, once runc and once crun, and by itself for orientation.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial

from memories import group
from sides import Bench
from tables import Row, median, percentile
from tenants import Tenant, rooms
from usages import Account

CLIENTS = (1, 4, 16)
AIMS = {"runc": {1: 2.0, 4: 2.0, 16: 2.0}, "crun": {1: 2.0, 4: 2.0, 16: 2.0}}
CROSSED = {1: 2.5, 4: 3.0, 16: 3.0}
"""Ours with crun against theirs with runc."""


@dataclass
class Tally:
    """Of each block: lives per second, processor milliseconds for each; of all: milliseconds of every life."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)


def measure(bench: Bench) -> list[Row]:
    rows = []
    for clients in CLIENTS:
        tallies = _tallies(bench, clients)
        for binary in bench.options.binaries:
            ours, theirs = (tallies[side.name, binary] for side in (bench.ours, bench.theirs))
            label = f"{binary}, {clients} at a time"
            aim = f">= {AIMS[binary][clients]:g} times"
            rows.append(Row(f"lives, {label}", "/s", median(ours.rates), median(theirs.rates), aim))
            rows.append(Row(f"processor time, {label}", "ms", median(ours.costs), median(theirs.costs)))
            if clients == 1:
                rows += [
                    Row(f"a life, {label}, p{p}", "ms", percentile(ours.took, p), percentile(theirs.took, p))
                    for p in (50, 99)
                ]
        if set(bench.options.binaries) == {"crun", "runc"}:
            ours, theirs = tallies[bench.ours.name, "crun"], tallies[bench.theirs.name, "runc"]
            name = f"lives, crun against runc, {clients} at a time"
            rows.append(Row(name, "/s", median(ours.rates), median(theirs.rates), f">= {CROSSED[clients]:g} times"))
    return rows


def _tallies(bench: Bench, clients: int) -> dict[tuple[str, str], Tally]:
    """By side and binary, in blocks that take turns."""
    ids = [f"life-{number}" for number in range(clients)]
    tallies: dict[tuple[str, str], Tally] = {}
    with ExitStack() as stack:
        runs: list[tuple[Tally, Callable[[Tally], None]]] = []
        for side in (bench.ours, bench.theirs):
            made = stack.enter_context(rooms(side, ids, "true"))
            account = stack.enter_context(closing(Account(f"{side.name}-{clients}")))
            account.enter(group(side))
            for binary in bench.options.binaries:
                tenants = [stack.enter_context(closing(Tenant(side, room, binary))) for room in made]
                tally = tallies[side.name, binary] = Tally()
                runs.append((tally, partial(_block, tenants, account, bench.options.seconds)))
        for _, run in runs:
            run(Tally())  # the first of each is not counted
        for _ in range(bench.options.lives):
            for tally, run in runs:
                run(tally)
    return tallies


def _block(tenants: list[Tenant], account: Account, seconds: float, tally: Tally) -> None:
    """Every tenant lives again and again for some seconds."""
    used, began = account.seconds, time.perf_counter()
    with ThreadPoolExecutor(len(tenants)) as pool:
        took = [each for found in pool.map(lambda tenant: _lives(tenant, began + seconds), tenants) for each in found]
    elapsed = time.perf_counter() - began
    tally.rates.append(len(took) / elapsed)
    tally.costs.append(1000 * (account.seconds - used) / len(took))
    tally.took += took


def _lives(tenant: Tenant, until: float) -> list[float]:
    took = []
    while (began := time.perf_counter()) < until:
        tenant.live()
        took.append(1000 * (time.perf_counter() - began))
    return took
