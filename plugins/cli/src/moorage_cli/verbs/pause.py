"""``moorage pause``: containers that hold still."""

from __future__ import annotations

import click

from moorage_cli import every, lookups, sessions
from moorage_client.clients import Client


@click.command("pause")
@click.argument("containers", nargs=-1, required=True)
def command(containers: tuple[str, ...]) -> int:
    """Freeze all processes of CONTAINERS."""

    async def work(client: Client) -> int:
        async def pause(name: str) -> None:
            container, _ = await lookups.running(client, name)
            await client.tasks.pause(container.id)

        return await every.each(containers, pause)

    return sessions.run(work)
