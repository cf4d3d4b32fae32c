"""``moorage stop``: ask first, then insist."""

from __future__ import annotations

import asyncio
import signal

import click

from moorage_cli import every, lookups, restarts, sessions, signals
from moorage_client import creations
from moorage_client.clients import Client
from moorage_sdk import errors
from moorage_sdk.containers import Container


@click.command("stop")
@click.option(
    "-t", "--time", "seconds", type=click.FloatRange(min=0), default=10.0, show_default=True, metavar="SECONDS"
)
@click.option("-s", "--signal", "wanted", default="", help="Signal to ask with; the image's own or TERM otherwise.")
@click.argument("containers", nargs=-1, required=True)
def command(containers: tuple[str, ...], seconds: float, wanted: str) -> int:
    """Ask CONTAINERS to end, and kill those that have not after some SECONDS."""

    async def work(client: Client) -> int:
        return await every.each(containers, lambda name: _stop(client, name, seconds, wanted))

    return sessions.run(work)


async def _stop(client: Client, name: str, seconds: float, wanted: str) -> None:
    """A container that does not run is stopped already, unless it is about to be started again."""
    container = await lookups.container(client, name)
    await restarts.leave(client, container)
    process = await lookups.task(client, container.id)
    if process is not None and process.status in lookups.RUNNING:
        number = signals.parse(wanted or container.labels.get(creations.STOP_SIGNAL, "TERM"))
        await end(client, container, number, seconds)


async def end(client: Client, container: Container, number: int, seconds: float) -> None:
    """Send a signal and wait; then kill and wait. Raises errors.DeadlineExceeded when not even that ends it."""
    waiting = asyncio.ensure_future(client.tasks.wait(container.id))
    try:
        for attempt, patience in ((number, seconds), (signal.SIGKILL, KILL_PATIENCE)):
            try:
                await client.tasks.kill(container.id, attempt, all=attempt == signal.SIGKILL)
            except errors.NotFound:
                return
            await asyncio.wait([waiting], timeout=patience)
            if waiting.done():
                return
    finally:
        waiting.cancel()
    raise errors.DeadlineExceeded(f'container "{container.id}": does not end though it was killed')


KILL_PATIENCE = 10.0
