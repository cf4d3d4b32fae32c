"""``moorage run``: a command in a new container."""

from __future__ import annotations

import asyncio

import click

from moorage_cli import images, options, runs, sessions
from moorage_cli.attachments import Streams
from moorage_cli.options import Creation
from moorage_client import creations
from moorage_client.clients import Client
from moorage_client.creations import Plan
from moorage_sdk import errors
from moorage_sdk.containers import Container


@click.command("run", context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@click.option("-d", "--detach", is_flag=True, help="Run in the background and print the id.")
@click.option("--rm", "remove", is_flag=True, help="Remove the container when it has ended.")
@options.creation
def command(creation: Creation, detach: bool, remove: bool) -> int:
    """Run COMMAND in a new container of IMAGE, in the foreground unless detached."""
    return sessions.run(lambda client: run(client, creation, detach=detach, remove=remove))


async def run(client: Client, creation: Creation, *, detach: bool, remove: bool) -> int:
    streams = Streams(creation.interactive, creation.tty)
    if detach and remove:
        raise errors.InvalidArgument("--rm with --detach: nobody would be there to remove it: invalid argument")
    if remove and creation.restart != "no":
        raise errors.InvalidArgument("--rm with --restart: it is removed or started again, not both: invalid argument")
    if not detach:
        streams.check()
    container = await create(client, creation)
    try:
        if detach:
            await runs.detached(client, container, stdin=creation.interactive, terminal=creation.tty)
            click.echo(container.id)
            return 0
        ended = await runs.foreground(client, container, streams)
    except BaseException:
        await asyncio.shield(runs.discard(client, container.id))
        raise
    if ended is None:
        return 0
    if remove:
        await creations.remove(client, container)
    return ended.status


async def create(client: Client, creation: Creation) -> Container:
    """The container, its image pulled and unpacked as told."""
    settings, labels, platform = creation.settings(), creation.labels(), creation.chosen_platform()
    snapshotter = await client.plugins.snapshotter(creation.snapshotter)
    image = await images.obtain(client, creation.image, creation.pull, snapshotter, platform)
    plan = Plan(
        id=creation.name or runs.fresh_id(),
        image=image,
        settings=settings,
        runtime=creation.runtime,
        snapshotter=snapshotter,
        platform=platform,
        labels=labels,
    )
    return await creations.create(client, plan)
