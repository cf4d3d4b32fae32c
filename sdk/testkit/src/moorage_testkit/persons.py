"""A person at a terminal: a program gets a pty of its own, and the test types and reads. Needs pexpect.

with person(["moorage", "run", "-it", "busybox"]) as child:
    child.expect("/ # ")
    child.sendline("exit 5")
    assert ended(child) == 5
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pexpect

TIMEOUT = 30
"""Seconds that an expectation may take."""


@contextmanager
def person(
    words: Sequence[str], *, rows: int = 24, columns: int = 80, env: Mapping[str, str] | None = None
) -> Iterator[pexpect.spawn]:
    """The program of these words on a terminal of that size; it is killed at the end of the ``with`` block."""
    child = pexpect.spawn(
        words[0],
        list(words[1:]),
        timeout=TIMEOUT,
        dimensions=(rows, columns),
        encoding="utf-8",
        env=dict(env) if env is not None else None,
    )
    try:
        yield child
    finally:
        child.close(force=True)


def ended(child: pexpect.spawn) -> int | None:
    """Wait for its end. The exit status, None for one that a signal ended."""
    child.expect(pexpect.EOF)
    child.close()
    status: int | None = child.exitstatus
    return status
