"""The runtime by itself, for orientation: no daemon is faster than that."""

from __future__ import annotations

import json
import os
import resource
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sides import Bench, seconds
from tables import Row, median
from tenants import rooms

from moorage_sys import mounts

_ID = "bare"


def measure(bench: Bench) -> list[Row]:
    rows = []
    folder = bench.folder()
    rootfs = folder / "rootfs"
    rootfs.mkdir()
    with rooms(bench.ours, [_ID], "true") as made:
        (folder / "config.json").write_text(json.dumps(made[0].spec))
        mounts.mount_all(made[0].rootfs, rootfs)
        try:
            for binary in bench.options.binaries:
                rows += _rows(binary, folder, bench.options.pairs)
        finally:
            mounts.unmount_recursive(rootfs)
    return rows


def _rows(binary: str, bundle: Path, times: int) -> list[Row]:
    command = [binary, "--root", str(bundle / binary)]
    used = _used()
    took = [1000 * seconds(lambda: _live(command, bundle)) for _ in range(times)]
    name = f"{binary} create, start, delete by itself"
    return [
        Row(name, "ms", median(took)),
        Row(f"processor time of {binary} by itself", "ms", 1000 * (_used() - used) / times),
    ]


def _live(command: Sequence[str], bundle: Path) -> None:
    """As a daemon does it: nothing of the standard streams, and the end is seen on a pidfd."""
    pid_file = bundle / "pid"
    _run(*command, "create", "--bundle", str(bundle), "--pid-file", str(pid_file), _ID)
    init = os.pidfd_open(int(pid_file.read_text()))
    try:
        _run(*command, "start", _ID)
        select.select([init], [], [])
    finally:
        os.close(init)
    _run(*command, "delete", _ID)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _used() -> float:
    """Processor seconds of our children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
