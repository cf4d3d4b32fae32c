"""``moorage wait``: until containers end."""

from __future__ import annotations

import click

from moorage_cli import lookups, runs, sessions
from moorage_client.clients import Client
from moorage_sdk import errors


@click.command("wait")
@click.argument("containers", nargs=-1, required=True)
def command(containers: tuple[str, ...]) -> None:
    """Wait until CONTAINERS have ended; print their exit codes, one per line."""

    async def work(client: Client) -> None:
        for name in containers:
            click.echo(await _status(client, name))

    sessions.run(work)


async def _status(client: Client, name: str) -> int:
    container = await lookups.container(client, name)
    try:
        return (await client.tasks.wait(container.id)).status
    except errors.NotFound:
        kept = container.labels.get(runs.EXIT, "").partition(" ")[0]
        if kept.isdecimal():
            return int(kept)
        raise errors.FailedPrecondition(f'container "{container.id}": was never started') from None
