"""Memory of a daemon with what it keeps running, idle and for each more container.

The proportional set size of a group of processes as if nobody else had its files mapped: this very process, and other
daemons of the machine, share the interpreter and the libraries, and would make ours look smaller than it is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from pathlib import Path

from sides import BUSYBOX, Bench, Side
from tables import Row

from moorage_testkit import traces
from moorage_testkit.traces import Place

_HEAD = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ ([0-9a-f]+) (\S+) (\d+)")
_FIELD = re.compile(r"^(Rss|Pss|Private_Dirty): +(\d+) kB")
SETTLE = 2.0
"""Seconds for a daemon to do what it puts off."""


def measure(bench: Bench) -> list[Row]:
    sides = (bench.ours, bench.theirs)
    time.sleep(SETTLE)
    idle = [group_size(group(side)) for side in sides]
    count = bench.options.containers
    for side in sides:
        for number in range(count):
            side.ctr("run", "-d", "--null-io", BUSYBOX, f"memory-{number}", "sleep", "1000")
    time.sleep(SETTLE)
    each = [(group_size(group(side)) - before) / count for side, before in zip(sides, idle, strict=True)]
    for side in sides:
        for number in range(count):
            side.ctr("task", "rm", "-f", f"memory-{number}")
            side.ctr("containers", "rm", f"memory-{number}")
    return [
        Row("memory, idle (daemon and monitor)", "MiB", idle[0], idle[1], "<= 2.5 times"),
        Row("memory for each more container", "MiB", each[0], each[1], "<= 1/10"),
    ]


def group(side: Side) -> list[int]:
    """The daemon, its monitor or shims; not the containers themselves."""
    daemon = side.daemon
    trace = traces.look(Place(daemon.root, daemon.state, frozenset({side.name})), daemon.pid)
    shims = [each.pid for each in trace.processes if each.mentions == "command"]
    return [daemon.pid, *shims, *_foreign_shims(daemon.address)]


def _foreign_shims(address: str) -> Iterable[int]:
    """containerd's shims have the address of their daemon on the command line, and none of its directories."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode("utf-8", "replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "shim" in words[0] and address in words:
            yield int(file.parent.name)


def group_size(pids: Iterable[int]) -> float:
    """MiB: anonymous memory of each process, and every page of a mapped file once."""
    files: dict[tuple[str, str, str], int] = {}
    total = 0
    for pid in set(pids):
        for key, fields in _mappings(pid):
            if key[2] == "0":
                total += fields["Pss"]
            else:
                total += fields["Private_Dirty"]
                files[key] = max(files.get(key, 0), fields["Rss"] - fields["Private_Dirty"])
    return (total + sum(files.values())) / 1024


def _mappings(pid: int) -> Iterable[tuple[tuple[str, str, str], dict[str, int]]]:
    """Offset, device and inode of each mapping, with its sizes in KiB (proc_pid_smaps(5))."""
    key, fields = ("", "", ""), dict[str, int]()
    for line in Path(f"/proc/{pid}/smaps").read_text("utf-8", "replace").splitlines():
        if head := _HEAD.match(line):
            if fields:
                yield key, fields
            key, fields = (head[1], head[2], head[3]), {}
        elif field := _FIELD.match(line):
            fields[field[1]] = int(field[2])
    if fields:
        yield key, fields
