"""What labels ask for, as in ``core/runtime/restart/restart.go`` and ``plugins/restart/monitor.go`` of containerd v2.3.

Values are read as Go reads them there: numbers by ``strconv.Atoi``, truth by ``strconv.ParseBool``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from moorage_sdk import errors
from moorage_sdk.tasks import Process, Status

STATUS = "containerd.io/restart.status"
POLICY = "containerd.io/restart.policy"
COUNT = "containerd.io/restart.count"
LOG_URI = "containerd.io/restart.loguri"
EXPLICITLY_STOPPED = "containerd.io/restart.explicitly-stopped"

LOG_PATH = "containerd.io/restart.logpath"
"""Has had no effect since containerd 2.0."""

NAMES = ("no", "always", "on-failure", "unless-stopped")
"""Announced as capabilities."""

_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_LIMIT = 2**63


class Verdict(Enum):
    LEAVE = "leave"
    START = "start"
    STOP = "stop"


@dataclass(frozen=True)
class Policy:
    """``retries`` is 0 for any number of them."""

    name: str
    retries: int = 0

    def restarts(self, exit_status: int, labels: Mapping[str, str]) -> bool:
        """Whether a container that does not run shall. Raises errors.InvalidArgument for a count that is none."""
        if self.name == "on-failure":
            done = _number(labels.get(COUNT) or "0", "restart count")
            return exit_status != 0 and (self.retries == 0 or done < self.retries)
        if self.name == "unless-stopped":
            return labels.get(EXPLICITLY_STOPPED) not in _TRUE
        return self.name == "always"


def parse(text: str) -> Policy:
    """Raises errors.InvalidArgument for a policy that nobody knows. None at all means ``always``."""
    name, *further = text.split(":")
    if name not in ("", *NAMES) or (further and name != "on-failure"):
        raise errors.InvalidArgument(
            f'restart policy "{text}": unknown: invalid argument', hint="no, always, unless-stopped, on-failure[:COUNT]"
        )
    return Policy(name or "always", _number(further[0], "restart policy: retries") if further else 0)


def judge(labels: Mapping[str, str], process: Process | None) -> Verdict:
    """What is to be done about a container with these labels, whose task is ``process`` or missing.

    A task that is missing counts as one that ended well, which is why a policy ``on-failure`` has nothing to say of it.
    Raises errors.InvalidArgument for labels that make no sense.
    """
    desired, status = labels.get(STATUS), process.status if process else None
    if desired == "stopped" and status not in (None, Status.STOPPED):
        return Verdict.STOP
    if desired != "running" or status in (Status.RUNNING, Status.PAUSED, Status.PAUSING):
        return Verdict.LEAVE
    ended = process.exit_status if process else 0
    return Verdict.START if parse(labels.get(POLICY, "")).restarts(ended, labels) else Verdict.LEAVE


def count(labels: Mapping[str, str]) -> int:
    """How often the container was started again, by its label; what is no number is 0."""
    try:
        return _number(labels.get(COUNT, ""), "restart count")
    except errors.InvalidArgument:
        return 0


def _number(text: str, subject: str) -> int:
    if not _NUMBER.fullmatch(text) or len(text) > 20 or not -_LIMIT <= int(text) < _LIMIT:
        raise errors.InvalidArgument(f'{subject} "{text}": not a number: invalid argument')
    return int(text)
