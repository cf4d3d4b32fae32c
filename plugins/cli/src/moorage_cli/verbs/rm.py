"""``moorage rm``: containers and all that belongs to them."""

from __future__ import annotations

import signal

import click

from moorage_cli import every, lookups, restarts, runs, sessions
from moorage_cli.verbs import stop
from moorage_client.clients import Client
from moorage_sdk import errors


@click.command("rm")
@click.option("-f", "--force", is_flag=True, help="Kill them first if they run.")
@click.argument("containers", nargs=-1, required=True)
def command(containers: tuple[str, ...], force: bool) -> int:
    """Remove CONTAINERS with their file systems and logs."""

    async def work(client: Client) -> int:
        return await every.each(containers, lambda name: _remove(client, name, force))

    return sessions.run(work)


async def _remove(client: Client, name: str, force: bool) -> None:
    container = await lookups.container(client, name)
    process = await lookups.task(client, container.id)
    if process is not None and process.status in lookups.RUNNING:
        if not force:
            raise errors.FailedPrecondition(
                f'container "{container.id}": runs', hint=f"moorage stop {container.id}, or rm --force"
            )
        await restarts.leave(client, container)
        await stop.end(client, container, signal.SIGKILL, stop.KILL_PATIENCE)
    await runs.remove(client, container)
