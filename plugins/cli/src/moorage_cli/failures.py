"""What a failure looks like to a person, and to a shell."""

from __future__ import annotations

import sys
from typing import TextIO

from moorage_sdk import errors

FAILED = 1
DAEMON = 125
NOT_EXECUTABLE = 126
NOT_FOUND = 127
INTERRUPTED = 130
"""The conventions of docker's command line: 125 to 127 where the exit code is otherwise the container's."""

_RUNS_SOMETHING = frozenset({"run", "exec", "start", "create"})
_MISSING = ("executable file not found", "no such file or directory")
_FORBIDDEN = ("permission denied", "is a directory", "exec format error")


def show(message: str, hint: str = "", stream: TextIO | None = None) -> None:
    """One line, and one more for what to do about it."""
    print(f"moorage: {_one_line(message)}", file=stream or sys.stderr)
    if hint:
        print(f"hint: {_one_line(hint)}", file=stream or sys.stderr)


def status(error: errors.Error, verb: str) -> int:
    """The exit code: for verbs that run something it tells apart what could not be run from what failed to."""
    if verb in _RUNS_SOMETHING and from_runtime(error):
        if any(text in error.message for text in _MISSING):
            return NOT_FOUND
        if any(text in error.message for text in _FORBIDDEN):
            return NOT_EXECUTABLE
    return unable(verb)


def unable(verb: str) -> int:
    """The exit code for what kept a verb from doing its work."""
    return DAEMON if verb in _RUNS_SOMETHING else FAILED


def from_runtime(error: errors.Error) -> bool:
    """Whether the OCI runtime said it; its words come through the daemon unchanged."""
    return any(word in error.message for word in ("OCI runtime", "runc", "crun", "container process", "exec:"))


def _one_line(text: str) -> str:
    from moorage_cli import tables  # --help needs nothing of it

    return tables.clean("; ".join(line.strip() for line in text.splitlines() if line.strip()))
