"""Memory goes back to the kernel."""

from __future__ import annotations

import re
from pathlib import Path

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
