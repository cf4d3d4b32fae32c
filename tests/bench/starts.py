"""How long a daemon takes from its start to the first answer, asked by a process that has everything loaded."""

from __future__ import annotations

import socket
import time
from contextlib import closing

from sides import Bench, Side
from tables import Row, median

from moorage_testkit import daemons
from moorage_testkit.daemons import Daemon

_POLL = 0.002


def measure(bench: Bench) -> list[Row]:
    folders = {side.name: bench.folder() for side in (bench.ours, bench.theirs)}

    def once(side: Side, number: int) -> float:
        with_stores = Daemon(side.program, folders[side.name])
        began = time.perf_counter()
        process = with_stores.spawn()
        while not (_accepts(with_stores.address) and daemons.answers(with_stores.address)):
            if process.poll() is not None:
                raise RuntimeError(f"{side.name} ended: {with_stores.tail()}")
            time.sleep(_POLL)
        took = time.perf_counter() - began
        with_stores.terminate()
        return took

    once(bench.ours, 0), once(bench.theirs, 0)  # the first start makes the stores
    ours, theirs = bench.in_turns(bench.options.starts, once)
    return [Row("start to the first answered call", "s", median(ours), median(theirs), "<= 0.6 s")]


def _accepts(address: str) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as tried:
        return tried.connect_ex(address) == 0
