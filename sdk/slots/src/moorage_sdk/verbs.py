"""Verbs that distributions contribute to ``mooraged``: the entry-point group ``moorage.verb``.

::

    def publish(command: Command) -> int | None:
        '''Send an event to the daemon.'''

A verb runs in a process of its own, without plugins; it returns the exit code (None is 0) or raises an
``errors.Error``, which is shown to whoever typed it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """What was typed: ``words`` behind the verb, the name of the program, and the daemon's socket that is meant."""

    words: tuple[str, ...]
    program: str
    address: str


Verb = Callable[[Command], int | None]
