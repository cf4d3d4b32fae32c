"""``moorage tag``: one more name for an image."""

from __future__ import annotations

import click

from moorage_cli import lookups, sessions
from moorage_client.clients import Client
from moorage_sdk import references
from moorage_sdk.images import Image


@click.command("tag")
@click.argument("image")
@click.argument("names", nargs=-1, required=True)
def command(image: str, names: tuple[str, ...]) -> None:
    """Give IMAGE further NAMES. An image that has such a name loses it."""
    full = [references.normalize(name) for name in names]

    async def work(client: Client) -> None:
        found = await lookups.image(client, image)
        for name in full:
            await client.images.put(Image(name, found.target))

    sessions.run(work)
    for name in full:
        click.echo(name)
