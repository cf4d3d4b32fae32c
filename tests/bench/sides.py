"""The two daemons, side by side on a tmpfs, and what every measure needs of them."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from moorage_testkit import daemons, images
from moorage_testkit.daemons import Daemon, Program
from moorage_testkit.images import Layout

BUSYBOX = "docker.io/library/busybox:bench"


@dataclass
class Side:
    """One daemon with a busybox in it. ``name`` is also its namespace, for runc's states are shared by daemons."""

    name: str
    program: Program
    daemon: Daemon

    def ctr(self, *words: str) -> None:
        self.daemon.ctr("-n", self.name, *words, timeout=300)


@dataclass
class Bench:
    """``ours`` and ``theirs`` run; ``stack`` closes what a measure opens; ``options`` are the command line's."""

    ours: Side
    theirs: Side
    stack: ExitStack
    options: Namespace

    def folder(self) -> Path:
        """A fresh directory on the tmpfs, gone at the end."""
        return self.stack.enter_context(daemons.directory(self.options.fast))

    def in_turns(self, times: int, work: Callable[[Side, int], float]) -> tuple[list[float], list[float]]:
        """``work`` on each side alternately, so that whatever else the machine does hits both. Ours, then theirs."""
        found: tuple[list[float], list[float]] = ([], [])
        for number in range(times):
            for side, values in zip((self.ours, self.theirs), found, strict=True):
                values.append(work(side, number))
        return found


def make(stack: ExitStack, options: Namespace) -> Bench:
    base = stack.enter_context(daemons.directory(options.fast))
    layout = Layout(base / "busybox")
    layout.tag(BUSYBOX, images.busybox(layout))
    archive = images.archive(layout, base / "busybox.tar")
    sides = []
    for name, program in (("bench-moorage", daemons.moorage()), ("bench-containerd", daemons.containerd())):
        folder = stack.enter_context(daemons.directory(options.fast))
        daemon = stack.enter_context(Daemon(program, folder, namespaces=[name]))
        side = Side(name, program, daemon)
        side.ctr("images", "import", str(archive))
        side.ctr("run", "--rm", BUSYBOX, "warm", "true")
        sides.append(side)
    return Bench(sides[0], sides[1], stack, options)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
