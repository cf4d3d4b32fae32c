"""Memory stays with the process while it is used again and again, and goes back to the kernel after that."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from moorage_sys import allocations


def resident() -> int:
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) << 10


def test_what_was_freed_is_the_kernels_again() -> None:
    size = 64 << 10
    pieces = [b"x" * size for _ in range(2000)]  # too small for mappings of their own
    pin = [bytes(1 << 10) for _ in range(8)]
    cycle: list[object] = [pieces]
    cycle.append(cycle)
    full = resident()
    del pieces, cycle
    allocations.give_back()
    assert resident() < full - (100 << 20)
    assert len(pin) == 8


FAULTS = """
import resource, sys
from moorage_sys import allocations
if sys.argv[1] == "expected":
    allocations.expect(4 << 20)
for _ in range(20):
    b"x" * (1 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    b"x" * (1 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize(("announced", "most"), [("expected", 2_000), ("not", 1 << 30)])
def test_pieces_that_are_expected_are_not_mapped_each_time(announced: str, most: int) -> None:
    # A threshold in the environment keeps glibc from finding out by itself: the case that is to be prevented.
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(128 << 10)}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, announced], env=env, capture_output=True, text=True, check=True
    )
    faults = int(done.stdout)
    assert faults <= most
    assert announced == "expected" or faults > 10_000
