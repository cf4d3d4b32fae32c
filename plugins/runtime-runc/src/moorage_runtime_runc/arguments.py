"""What the program ``monitor`` is told on its command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from moorage_runtime_runc.runtimes import DEFAULT_BINARY
from moorage_sdk import errors
from moorage_ttrpc import sockets

LINGER = 30.0
"""Seconds that a monitor without containers and without a daemon stays: long enough for a daemon to start again."""

N = TypeVar("N", int, float)

_VALUES = {"--state", "--socket", "--address", "--events", "--linger", "--cgroup", "--inherit", "--binary"}


@dataclass(frozen=True)
class Arguments:
    """``address`` is the daemon's gRPC socket; ``events`` is where it takes events, by default ``<address>.ttrpc``.

    ``linger`` is how many seconds a monitor without containers stays once its daemon is gone, or, with ``leave``, in
    any case: a foreign containerd starts a new one when it needs one. ``announce`` closes the standard output as soon
    as the socket is served. ``cgroup`` is where the process has to be. ``inherit`` is the descriptor of an inheritance
    (``inheritances``), -1 for none. ``binary`` is the OCI runtime where a client names none.
    """

    state: Path
    socket: Path
    address: Path | None = None
    linger: float = LINGER
    leave: bool = False
    relay: bool = False
    announce: bool = False
    events: Path | None = None
    cgroup: str = ""
    inherit: int = -1
    binary: str = DEFAULT_BINARY


def parse(argv: Sequence[str]) -> Arguments:
    """Raises errors.InvalidArgument. By hand, for argparse would stay in memory for as long as the monitor does."""
    values: dict[str, str] = {}
    flags: set[str] = set()
    words = iter(argv)
    for word in words:
        if word in ("--leave", "--relay", "--announce"):
            flags.add(word)
        elif word in _VALUES and (value := next(words, "")):
            values[word] = value
        else:
            raise errors.InvalidArgument(f'argument "{word}": unknown or without a value')
    for needed in ("--state", "--socket"):
        if needed not in values:
            raise errors.InvalidArgument(f'argument "{needed}": missing')
    address = sockets.path_of(values["--address"]) if "--address" in values else None
    events = values.get("--events") or (f"{address}.ttrpc" if address else "")
    return Arguments(
        Path(values["--state"]),
        Path(values["--socket"]),
        address,
        _number("--linger", values.get("--linger", str(LINGER)), float),
        "--leave" in flags,
        "--relay" in flags,
        "--announce" in flags,
        sockets.path_of(events) if events else None,
        values.get("--cgroup", ""),
        _number("--inherit", values.get("--inherit", "-1"), int),
        values.get("--binary", DEFAULT_BINARY),
    )


def _number(name: str, text: str, kind: type[N]) -> N:
    try:
        return kind(text)
    except ValueError:
        raise errors.InvalidArgument(f'argument "{name}": "{text}" is no number') from None
