"""What the allocator holds for the process, and when it gives it back."""

from __future__ import annotations

import gc

from moorage_sys import libc

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3), from ``malloc.h``."""

HELD = 64 << 20
"""Bytes at the end of an arena that the process keeps although they are free."""


def expect(size: int) -> None:
    """Pieces of up to ``size`` bytes come and go all the time: they are to be taken from memory that the process holds.

    By itself glibc finds that out or does not, depending on the order in which the first ones are freed. Where it does
    not, each piece is mapped and unmapped, and every page of it faulted in: content was read at a third of the speed.
    And what many threads free at the end of an arena they share goes back at once, unless ``HELD`` of it may stay.
    A C library without mallopt does as it likes.
    """
    try:
        set_option = libc.lib.mallopt
    except AttributeError:
        return
    # Each by itself would end glibc's own search for the other.
    set_option(_MMAP_THRESHOLD, size)
    set_option(_TRIM_THRESHOLD, HELD)


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
