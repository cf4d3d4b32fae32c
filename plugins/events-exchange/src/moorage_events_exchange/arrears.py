"""What happened to tasks while there was no daemon, for clients that need a moment longer to come back than shims.

A shim that finds no daemon sends its events as soon as there is one again. Clients try again after up to 3 s (the
longest pause of containerd's Go client), and one that misses the exit of its container believes for ever that it runs:
Docker's engine asks for the state of its containers when it starts itself, and never when the daemon does.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from moorage_sdk.events import Envelope

GRACE = 10.0
"""Seconds after the start of the daemon in which who subscribes is told what it missed."""

LIMIT = 4096
"""Events; of more than that the oldest are forgotten, as containerd forgets all."""

_TOPICS = "/tasks/"


class Arrears:
    """Made when the daemon starts. Not safe for threads: the exchange calls it under its lock."""

    def __init__(self, grace: float = GRACE, limit: int = LIMIT) -> None:
        self._born = time.time_ns()
        self._until = time.monotonic() + grace
        self._kept: deque[Envelope] = deque(maxlen=limit)

    def keep(self, envelope: Envelope) -> None:
        """Take note of an event that a shim sends, if it is older than the daemon."""
        if envelope.timestamp < self._born and envelope.topic.startswith(_TOPICS) and self._graced():
            self._kept.append(envelope)

    def owed(self) -> Sequence[Envelope]:
        """What a new subscription has missed, in the order in which it came."""
        return tuple(self._kept) if self._graced() else ()

    def _graced(self) -> bool:
        if time.monotonic() < self._until:
            return True
        self._kept.clear()
        return False
