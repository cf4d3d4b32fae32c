"""``grpc.health.v1``. As in containerd, only the server as a whole (an empty name) has a health."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from moorage_api.messages import health
from moorage_sdk import errors
from moorage_services.calls import Call, Handler
from moorage_services.drains import Drain

Response = health.HealthCheckResponse


class HealthService:
    """A daemon that answers is healthy: its plugins have states of their own (Introspection)."""

    name = "grpc.health.v1.Health"

    def __init__(self, drain: Drain) -> None:
        self._drain = drain

    def handlers(self) -> Mapping[str, Handler]:
        return {"Check": self.check, "Watch": self.watch}

    async def check(self, request: health.HealthCheckRequest, call: Call) -> health.HealthCheckResponse:
        if request.service:
            raise errors.NotFound(f'service "{request.service}": unknown service: not found')
        return Response(status=Response.SERVING)

    async def watch(self, request: health.HealthCheckRequest, call: Call) -> None:
        """Says the state, and then the one change there can be: that the daemon stops."""
        await call.send(Response(status=Response.SERVICE_UNKNOWN if request.service else Response.SERVING))
        try:
            await self._drain.wait(_never())
        except errors.Unavailable:
            await call.send(Response(status=Response.NOT_SERVING))
            raise


async def _never() -> None:
    await asyncio.get_running_loop().create_future()
