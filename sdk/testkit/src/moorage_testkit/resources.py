"""What processes hold of the kernel: descriptors, threads and memory of a daemon and of its node monitor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from moorage_testkit import daemons, traces
from moorage_testkit.daemons import Daemon
from moorage_testkit.traces import Place

SPARE = 5
"""Descriptors and threads that pools may come to have more: I7 of the invariants allows as many."""

_SETTLE = 20.0


@dataclass(frozen=True)
class Usage:
    """``memory`` is what the process has resident, in KiB."""

    descriptors: int
    threads: int
    memory: int


def monitor(daemon: Daemon) -> int:
    """The pid of its node monitor. Raises AssertionError unless there is one, and only one."""
    found = traces.look(Place(daemon.root, daemon.state, daemon.namespaces), daemon.pid).processes
    pids = [process.pid for process in found if process.name == "moorage-monitor" and process.state != "Z"]
    assert len(pids) == 1, f"monitors: {pids}"
    return pids[0]


def usage(pid: int) -> Usage:
    """Raises OSError for a process that is gone."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines())
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Usage(descriptors, int(status["Threads"]), int(status["VmRSS"].split()[0]))


class Balance:
    """Made when the daemon is warm; asked when all is done, for what was taken must be given back."""

    def __init__(self, *pids: int) -> None:
        self.before = {pid: usage(pid) for pid in pids}

    def assert_even(self) -> None:
        """Of descriptors. Raises AssertionError with how many there were and are."""

        def surplus() -> dict[int, tuple[int, int]]:
            now = {pid: usage(pid).descriptors for pid in self.before}
            pairs = {pid: (self.before[pid].descriptors, now[pid]) for pid in now}
            return {pid: pair for pid, pair in pairs.items() if pair[1] > pair[0] + SPARE}

        try:
            daemons.wait_until(lambda: not surplus(), _SETTLE)
        except AssertionError:
            raise AssertionError(f"descriptors before and now, by pid: {surplus()}") from None

    def growth(self) -> dict[int, int]:
        """KiB of memory more than before, by pid."""
        return {pid: usage(pid).memory - before.memory for pid, before in self.before.items()}
