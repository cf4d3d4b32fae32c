"""The health service."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from moorage_api.messages import health as api
from moorage_sdk import errors
from moorage_services.drains import Drain
from moorage_services.healths import HealthService

Response = api.HealthCheckResponse


def test_the_server_as_a_whole_is_healthy(call: Callable[..., Any]) -> None:
    said = asyncio.run(HealthService(Drain()).check(api.HealthCheckRequest(), call("")))
    assert said.status == Response.SERVING


def test_nothing_else_has_a_health(call: Callable[..., Any]) -> None:
    with pytest.raises(errors.NotFound):
        asyncio.run(HealthService(Drain()).check(api.HealthCheckRequest(service="x"), call("")))


@pytest.mark.parametrize(("service", "status"), [("", Response.SERVING), ("x", Response.SERVICE_UNKNOWN)])
def test_watching_says_the_state_once_and_waits(call: Callable[..., Any], service: str, status: int) -> None:
    async def run() -> None:
        made = call("")
        watching = asyncio.create_task(HealthService(Drain()).watch(api.HealthCheckRequest(service=service), made))
        await asyncio.sleep(0.02)
        assert [each.status for each in made.wire.sent] == [status]
        assert not watching.done()
        watching.cancel()

    asyncio.run(run())


def test_a_watcher_hears_of_the_end(call: Callable[..., Any]) -> None:
    async def run() -> None:
        made, drain = call(""), Drain()
        watching = asyncio.create_task(HealthService(drain).watch(api.HealthCheckRequest(), made))
        await asyncio.sleep(0.02)
        drain.stop()
        with pytest.raises(errors.Unavailable):
            await watching
        assert [each.status for each in made.wire.sent] == [Response.SERVING, Response.NOT_SERVING]

    asyncio.run(run())
