"""``moorage push``: an image to a registry, by the daemon."""

from __future__ import annotations

import click

from moorage_cli import images, registries, sessions
from moorage_client.clients import Client
from moorage_sdk import platforms
from moorage_sdk.transfers import Registry


@click.command("push")
@click.option("--platform", "wanted", multiple=True, metavar="OS/ARCH", help="Platform to push; may be repeated.")
@registries.options
@click.option("-q", "--quiet", is_flag=True, help="Print only the reference.")
@click.argument("image")
@click.argument("reference", default="")
def command(image: str, reference: str, wanted: tuple[str, ...], registry: Registry, quiet: bool) -> None:
    """Push IMAGE to the registry that its name says, or to REFERENCE.

    One platform of an image for several is pushed by itself, as an image of its own.
    """
    chosen = tuple(platforms.parse(each) for each in wanted)

    async def work(client: Client) -> str:
        return await images.push(client, image, reference, chosen=chosen, registry=registry, quiet=quiet)

    click.echo(sessions.run(work))
