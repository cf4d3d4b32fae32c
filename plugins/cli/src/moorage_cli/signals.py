"""Signals by name, and passing on those that we get."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from moorage_sdk import errors

FORWARDED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCONT,
)


def parse(text: str) -> int:
    """A number, or a name with or without SIG, real-time ones included. Raises errors.InvalidArgument."""
    name = text.upper().removeprefix("SIG")
    if name.isdecimal() and 0 < int(name) <= signal.SIGRTMAX:
        return int(name)
    for base, first in (("RTMIN+", signal.SIGRTMIN), ("RTMAX-", signal.SIGRTMAX)):
        offset = name.removeprefix(base)
        if offset != name and offset.isdecimal() and int(offset) <= signal.SIGRTMAX - signal.SIGRTMIN:
            return first + int(offset) if base == "RTMIN+" else first - int(offset)
    try:
        return signal.Signals[f"SIG{name}"]
    except KeyError:
        raise errors.InvalidArgument(f'signal "{text}": unknown: invalid argument') from None


@contextmanager
def forwarded(send: Callable[[int], None]) -> Iterator[None]:
    """Call ``send`` with each signal that this process gets, instead of what it would do."""
    loop = asyncio.get_running_loop()
    for number in FORWARDED:
        loop.add_signal_handler(number, send, number)
    try:
        yield
    finally:
        for number in FORWARDED:
            loop.remove_signal_handler(number)


@contextmanager
def resized(changed: Callable[[], None]) -> Iterator[None]:
    """Call ``changed`` when the local terminal gets another size."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, changed)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
