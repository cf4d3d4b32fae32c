"""``moorage kill``: a signal to containers."""

from __future__ import annotations

import click

from moorage_cli import every, lookups, sessions, signals
from moorage_client.clients import Client


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
            await client.tasks.kill(container.id, number, all=all_)

        return await every.each(containers, kill)

    return sessions.run(work)
