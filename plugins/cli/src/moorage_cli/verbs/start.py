"""``moorage start``: containers that were created, or have ended."""

from __future__ import annotations

import click

from moorage_cli import lookups, runs, sessions
from moorage_cli.attachments import Streams
from moorage_client import containers as records
from moorage_client.clients import Client
from moorage_sdk import errors


@click.command("start")
@click.option("-a", "--attach", is_flag=True, help="Attach to its output; its exit code becomes ours.")
@click.option("-i", "--interactive", is_flag=True, help="Attach to its input too.")
@click.argument("containers", nargs=-1, required=True)
def command(containers: tuple[str, ...], attach: bool, interactive: bool) -> int:
    """Start CONTAINERS again."""
    if (attach or interactive) and len(containers) > 1:
        raise click.UsageError("only one container can be attached to")
    return sessions.run(lambda client: _start(client, containers, attach or interactive, interactive))


async def _start(client: Client, wanted: tuple[str, ...], attach: bool, interactive: bool) -> int:
    for each in wanted:
        container = await lookups.container(client, each)
        process = await lookups.task(client, container.id)
        if process is not None and process.status in lookups.RUNNING:
            raise errors.FailedPrecondition(f'container "{container.id}": runs already')
        await runs.delete_task(client, container.id)
        terminal = bool(records.spec_of(container)["process"].get("terminal"))
        if attach:
            streams = Streams(interactive, terminal)
            streams.check()
            ended = await runs.foreground(client, container, streams)
            return ended.status if ended else 0
        await runs.detached(client, container, stdin=interactive, terminal=terminal)
        click.echo(container.id)
    return 0
