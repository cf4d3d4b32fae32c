"""Memory that the process holds and nobody uses."""

from __future__ import annotations

import gc

from moorage_sys import libc


def give_back() -> None:
    """Collect what is garbage in cycles, and return to the kernel what the allocator keeps (malloc_trim(3)).

    Takes milliseconds, in which no other Python code runs. A C library without malloc_trim keeps what it keeps.
    """
    gc.collect()
    try:
        trim = libc.lib.malloc_trim
    except AttributeError:
        return
    trim(0)
