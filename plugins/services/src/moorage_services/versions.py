"""``containerd.services.version.v1``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moorage_api.messages import version
from moorage_services.calls import Call, Handler

COMPATIBLE = "v2.3.4"
"""The containerd that this daemon is like. Clients compare it with what they need, so it leads the version."""


class VersionService:
    name = "containerd.services.version.v1.Version"

    def __init__(self, own: str) -> None:
        self._own = own

    def handlers(self) -> Mapping[str, Handler]:
        return {"Version": self.version}

    async def version(self, request: Any, call: Call) -> version.VersionResponse:
        return version.VersionResponse(version=f"{COMPATIBLE}+moorage.{self._own}", revision=f"moorage-{self._own}")
