"""``moorage kill``: a signal to containers."""

from __future__ import annotations

import signal

import click

from moorage_cli import every, lookups, restarts, sessions, signals
from moorage_client import creations
from moorage_client.clients import Client
from moorage_sdk.containers import Container


@click.command("kill")
@click.option("-s", "--signal", "wanted", default="KILL", show_default=True, help="Name or number.")
@click.option("-a", "--all", "all_", is_flag=True, help="To all processes of the container.")
@click.argument("containers", nargs=-1, required=True)
def command(containers: tuple[str, ...], wanted: str, all_: bool) -> int:
    """Send a signal to the init process of CONTAINERS."""
    number = signals.parse(wanted)

    async def work(client: Client) -> int:
        async def kill(name: str) -> None:
            container, _ = await lookups.running(client, name)
            await _forewarn(client, container, number)
            await client.tasks.kill(container.id, number, all=all_)

        return await every.each(containers, kill)

    return sessions.run(work)


async def _forewarn(client: Client, container: Container, number: int) -> None:
    """A signal that is to end the container is no failure to start it again for; other signals are its own matter."""
    if number in (signal.SIGKILL, signals.parse(container.labels.get(creations.STOP_SIGNAL, "TERM"))):
        await restarts.leave(client, container)
