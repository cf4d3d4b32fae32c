"""What grpc takes from the environment and from nowhere else. It reads it when it is first used, so this comes before.

Standard library only, for that reason.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import metadata

LISTENER = "-event_engine_listener"
LISTENER_SINCE = (1, 70)
"""Versions that surely know the experiment; older ones log an error at names that they do not know."""


def prepare(environment: MutableMapping[str, str], version: str | None = None) -> None:
    """Set what this daemon needs; experiments that the operator has set stay. ``version`` is grpcio's, None to ask.

    The daemon never forks, so grpc needs no handlers around it; they hang processes that start children (grpc's issue
    37259). Since 1.80 the sockets of a server are polled by threads of their own, which pass each event on to the
    thread that polls for asyncio: half as many switches again for a call, and more time (ADR 6).
    """
    environment["GRPC_ENABLE_FORK_SUPPORT"] = "false"
    if _numbers(version or metadata.version("grpcio")) >= LISTENER_SINCE:
        environment.setdefault("GRPC_EXPERIMENTS", LISTENER)


def _numbers(version: str) -> tuple[int, ...]:
    """Major and minor, of versions like 1.80.0rc1 as well."""
    return tuple(int(part) for part in version.split(".")[:2])
