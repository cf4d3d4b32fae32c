"""How fast output flows from a container to whoever reads the client's FIFO, and through a pipe without any daemon."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from sides import Bench, Side
from tables import Row, median
from tenants import Tenant, rooms

_PIECE = 64 << 10
_PLAIN, _TERMINAL = 1024, 64
"""MiB that are written. A terminal is slow by itself."""


def measure(bench: Bench) -> list[Row]:
    rows = []
    sides = (bench.ours, bench.theirs)
    times = bench.options.flows
    by_itself = median(_piped() for _ in range(times))
    rows.append(Row("output through a pipe by itself", "MiB/s", by_itself))
    for label, size, terminal in (("no terminal", _PLAIN, False), ("terminal", _TERMINAL, True)):
        with ExitStack() as stack:
            flows = {side.name: _flow(bench, side, stack, size, terminal=terminal) for side in sides}
            ours, theirs = bench.in_turns(times, partial(_turn, flows))
        aim = "as a pipe" if not terminal else "not slower"
        rows.append(Row(f"output, {label}", "MiB/s", median(ours), median(theirs), aim))
    return rows


def _turn(flows: Mapping[str, Callable[[], float]], side: Side, number: int) -> float:
    return flows[side.name]()


def _words(size: int) -> list[str]:
    return ["busybox", "dd", "if=/dev/zero", f"bs={_PIECE}", f"count={(size << 20) // _PIECE}"]


def _flow(bench: Bench, side: Side, stack: ExitStack, size: int, *, terminal: bool) -> Callable[[], float]:
    (made,) = stack.enter_context(rooms(side, ["flow"], *_words(size), terminal=terminal))
    tenant = stack.enter_context(closing(Tenant(side, made, bench.options.binaries[0])))
    folder = bench.folder()
    return lambda: _once(tenant, folder / "fifo", size, terminal=terminal)


def _once(tenant: Tenant, fifo: Path, size: int, *, terminal: bool) -> float:
    """MiB a second, from the first byte to the last of a whole life."""
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    try:
        tenant.create(str(fifo), terminal=terminal)
        waiting = tenant.wait()
        tenant.start()
        rate = _read(reader, size)
        tenant.waited(waiting)
        tenant.delete()
        return rate
    finally:
        os.close(reader)
        fifo.unlink()


def _piped() -> float:
    with subprocess.Popen(_words(_PLAIN), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        return _read(process.stdout.fileno(), _PLAIN)


def _read(fd: int, size: int) -> float:
    left = (size << 20) - len(os.read(fd, _PIECE))
    began = time.perf_counter()
    while left > 0:
        if not (data := os.read(fd, min(_PIECE, left))):
            raise RuntimeError(f"{left} bytes are missing")
        left -= len(data)
    return size / (time.perf_counter() - began)
