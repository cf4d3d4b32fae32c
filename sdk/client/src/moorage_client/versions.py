"""The Version service."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.empty_pb2 import Empty

from moorage_client.calls import Caller

SERVICE = "containerd.services.version.v1.Version"


@dataclass(frozen=True)
class Version:
    """What the daemon says of itself; ``revision`` is often empty."""

    version: str
    revision: str = ""


class Versions:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def get(self, *, timeout: float | None = None) -> Version:
        answer = await self._caller.call(SERVICE, "Version", Empty(), timeout=timeout)
        return Version(answer.version, answer.revision)
