"""The local terminal: raw mode and size."""

from __future__ import annotations

import os
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def raw(fd: int) -> Iterator[None]:
    """Pass every key on as it is, for the length of a ``with`` block; the settings before come back afterwards."""
    before = termios.tcgetattr(fd)
    try:
        tty.setraw(fd, termios.TCSANOW)
        yield
    finally:
        # TCSADRAIN: output still under way was meant for raw mode.
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def size(fd: int) -> tuple[int, int] | None:
    """Columns and rows; None for what is no terminal or does not know."""
    try:
        columns, rows = os.get_terminal_size(fd)
    except OSError:
        return None
    return (columns, rows) if columns and rows else None
