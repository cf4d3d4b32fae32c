"""``moorage unpause``: frozen containers go on."""

from __future__ import annotations

import click

from moorage_cli import every, lookups, sessions
from moorage_client.clients import Client


@click.command("unpause")
@click.argument("containers", nargs=-1, required=True)
def command(containers: tuple[str, ...]) -> int:
    """Let frozen CONTAINERS go on."""

    async def work(client: Client) -> int:
        async def resume(name: str) -> None:
            container, _ = await lookups.running(client, name)
            await client.tasks.resume(container.id)

        return await every.each(containers, resume)

    return sessions.run(work)
