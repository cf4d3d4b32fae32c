"""How long a daemon takes from its start to the first answer, asked by a process that has everything loaded.

On a machine that is busy otherwise the processor time says more than the clock.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import closing
from pathlib import Path

from sides import Bench, Side
from tables import Row, median

from moorage_testkit import daemons
from moorage_testkit.daemons import Daemon

_POLL = 0.002


def measure(bench: Bench) -> list[Row]:
    used: dict[str, list[float]] = {bench.ours.name: [], bench.theirs.name: []}
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
        used[side.name].append(_processor_time(process.pid))
        with_stores.terminate()
        return took

    once(bench.ours, 0), once(bench.theirs, 0)  # the first start makes the stores
    ours, theirs = bench.in_turns(bench.options.starts, once)
    cpu = [median(used[side.name]) for side in (bench.ours, bench.theirs)]
    return [
        Row("start to the first answered call", "s", median(ours), median(theirs), "<= 0.6 s"),
        Row("processor time of that", "s", cpu[0], cpu[1]),
    ]


def _processor_time(pid: int) -> float:
    """Seconds, of user and system, all threads (fields 14 and 15 of proc_pid_stat(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _accepts(address: str) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as tried:
        return tried.connect_ex(address) == 0
