"""Giving way to another version of this program: the same process executes it, and keeps its pid and children."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from moorage_runtime_runc import inheritances
from moorage_runtime_runc.inheritances import Inheritance

VERSION = "0.1.0"
"""Of this code as it was loaded. The distribution's metadata would tell what is installed by now."""

PROGRAM = ("-I", "-m", "moorage_runtime_runc.monitor")
"""What the interpreter is told so that it is a monitor."""


def execute(arguments: Sequence[str], left: Inheritance) -> None:
    """Become a monitor of these arguments that inherits what is ``left``; does not return.

    Raises OSError if there is nothing to execute. Then everything is as before.
    """
    will = inheritances.write(left)
    passed = [will, *left.descriptors]
    try:
        for fd in passed:
            os.set_inheritable(fd, True)
        os.execv(sys.executable, [sys.executable, *PROGRAM, *_without_inheritance(arguments), "--inherit", str(will)])
    finally:
        for fd in passed:
            os.set_inheritable(fd, False)
        os.close(will)


def _without_inheritance(arguments: Sequence[str]) -> list[str]:
    """All but what our own predecessor left to us."""
    words = list(arguments)
    while "--inherit" in words:
        place = words.index("--inherit")
        del words[place : place + 2]
    return words
