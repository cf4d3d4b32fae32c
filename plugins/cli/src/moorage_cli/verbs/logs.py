"""``moorage logs``: what a detached container has written."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from moorage_cli import logs, lookups, sessions
from moorage_client.clients import Client
from moorage_sdk import errors
from moorage_sdk.containers import Container


@click.command("logs")
@click.option("-f", "--follow", is_flag=True, help="Go on until the container ends.")
@click.option("--tail", type=click.IntRange(min=0), default=None, metavar="LINES", help="Only the last lines.")
@click.argument("container")
def command(container: str, follow: bool, tail: int | None) -> int:
    """Show what CONTAINER has written to its output and error streams."""

    async def work(client: Client) -> int:
        return await show(client, await lookups.container(client, container), tail=tail, follow=follow)

    return sessions.run(work)


async def show(client: Client, container: Container, *, tail: int | None, follow: bool) -> int:
    """Raises errors.FailedPrecondition for a container that keeps no log."""
    with logs.open_log(await _path(client, container)) as log:
        if tail is not None:
            logs.seek_tail(log, tail)
        if not follow:
            for data in logs.pieces(log):
                _write(data)
            return 0
        ended = asyncio.ensure_future(_end(client, container.id))
        try:
            async for data in logs.follow(log, ended):
                _write(data)
        finally:
            ended.cancel()
    return 0


async def _path(client: Client, container: Container) -> Path:
    if kept := logs.kept(client.namespace, container):
        return kept
    process = await lookups.task(client, container.id)
    uri = process.stdio.stdout if process else ""
    if uri.startswith(logs.SCHEME):
        return Path(uri.removeprefix(logs.SCHEME))
    raise errors.FailedPrecondition(
        f'container "{container.id}": keeps no log',
        hint="only containers started with run -d and neither -t nor -i do; moorage attach shows what others write",
    )


async def _end(client: Client, id: str) -> None:
    """Returns when the container's task ends, at once if it has none."""
    try:
        await client.tasks.wait(id)
    except errors.NotFound:
        return


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
