"""``moorage rmi``: images out of the store."""

from __future__ import annotations

import click

from moorage_cli import every, lookups, sessions
from moorage_client.clients import Client


@click.command("rmi")
@click.option("--async", "later", is_flag=True, help="Do not wait until the space is free.")
@click.argument("images", nargs=-1, required=True)
def command(images: tuple[str, ...], later: bool) -> int:
    """Remove IMAGES by name. Layers that containers use stay until those are removed."""

    async def work(client: Client) -> int:
        async def remove(name: str) -> None:
            image = await lookups.image(client, name)
            await client.images.delete(image.name, sync=not later)

        return await every.each(images, remove)

    return sessions.run(work)
