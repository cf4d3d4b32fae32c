"""Speed and memory beside containerd: both daemons in one run, in turns, with the same runc and the same images.

    python tests/bench/run.py --cache /var/cache/minbase          # everything; root, about a quarter of an hour
    python tests/bench/run.py --only run --pairs 100
    python tests/bench/run.py --only lives --binaries runc         # crun refuses a host with cgroup v1 and v2

Numbers of a busy machine say little by themselves, so what counts is the ratio of medians taken alternately, and where
there is one the processor time. Ours is divided by theirs, so that of what there should be much of a ratio above 1 is
good. Nothing here fails because of a number; the aims stand in the last column.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import bare
import calls
import crowds
import latencies
import lives
import memories
import outputs
import pulls
import pushes
import runs
import sides
import starts
import tables
from tables import Row

from moorage_testkit import images

MEASURES: dict[str, Callable[[sides.Bench], Sequence[Row]]] = {
    "run": runs.measure,
    "pull": pulls.measure,
    "push": pushes.measure,
    "start": starts.measure,
    "memory": memories.measure,
    "bare": bare.measure,
    "lives": lives.measure,
    "latencies": latencies.measure,
    "outputs": outputs.measure,
    "crowds": crowds.measure,
    "calls": calls.measure,
}
HYBRID = Path("/sys/fs/cgroup/unified")
NEEDED = (
    *("containerd", "containerd-shim-runc-v2", "ctr", "runc", "crun"),
    *("busybox", "docker-registry", "skopeo", "debootstrap"),
)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing or os.geteuid():
        sys.stderr.write(f"bench: needs root and {', '.join(NEEDED)}; missing: {', '.join(missing) or 'root'}\n")
        return 2
    if "crun" in arguments.binaries:
        _leave_hybrid()
    rows: list[Row] = []
    with ExitStack() as stack:
        bench = sides.make(stack, arguments)
        for name in arguments.only or MEASURES:
            sys.stderr.write(f"measuring: {name}\n")
            rows += MEASURES[name](bench)
    sys.stdout.write(tables.format(rows))
    return 0


def _leave_hybrid() -> None:
    """Start again where cgroup v2 is not mounted beside v1: crun refuses such a host."""
    if HYBRID.is_mount():
        command = [sys.executable, *sys.argv]
        os.execvp("unshare", ["unshare", "--mount", "sh", "-c", f'umount {HYBRID} && exec "$@"', "sh", *command])


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Compare mooraged with containerd on this machine.")
    parser.add_argument("--only", action="append", choices=list(MEASURES), help="a measure (repeatable)")
    parser.add_argument("--cache", type=Path, help=f"where minbase is kept ($MOORAGE_CACHE or {images.CACHE})")
    parser.add_argument("--fast", type=Path, default=Path("/dev/shm"), help="a tmpfs for the daemons' directories")
    parser.add_argument("--pairs", type=int, default=30, help="pairs of runs")
    parser.add_argument("--pulls", type=int, default=5, help="pairs of pulls")
    parser.add_argument("--pushes", type=int, default=5, help="pairs of pushes")
    parser.add_argument("--starts", type=int, default=7, help="pairs of starts")
    parser.add_argument("--containers", type=int, default=10, help="containers for the memory of each more")
    parser.add_argument("--binaries", nargs="+", choices=["runc", "crun"], default=["runc", "crun"], help="for lives")
    parser.add_argument("--lives", type=int, default=5, help="pairs of blocks of lives")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a block")
    parser.add_argument("--crowd", type=int, default=1000, help="containers asleep of ours")
    parser.add_argument("--restarted", type=int, default=500, help="containers asleep as a daemon starts anew")
    parser.add_argument("--records", type=int, default=10_000, help="containers that calls find")
    parser.add_argument("--blocks", type=int, default=20, help="pairs of blocks of calls")
    parser.add_argument("--blob", type=int, default=1024, help="MiB of the blob that is written and read")
    parser.add_argument("--flows", type=int, default=3, help="pairs of its writes and reads")
    return parser


if __name__ == "__main__":
    sys.exit(main())
