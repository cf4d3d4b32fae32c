"""``moorage pull``: an image from a registry, by the daemon."""

from __future__ import annotations

import click

from moorage_cli import images, options, registries, sessions
from moorage_client.clients import Client
from moorage_sdk import platforms
from moorage_sdk.transfers import Registry


@click.command("pull")
@click.option("--platform", "wanted", multiple=True, metavar="OS/ARCH", help="Platform to pull; may be repeated.")
@click.option("--all-platforms", is_flag=True, help="Pull for every platform of the index.")
@registries.options
@click.option("-q", "--quiet", is_flag=True, help="Print only the image's name.")
@options.snapshotter
@click.argument("image")
def command(
    image: str,
    wanted: tuple[str, ...],
    all_platforms: bool,
    registry: Registry,
    quiet: bool,
    snapshotter: str,
) -> None:
    """Pull IMAGE from its registry, and unpack it."""
    chosen = tuple(platforms.parse(each) for each in wanted) or (() if all_platforms else (platforms.host(),))

    async def work(client: Client) -> str:
        holder = await client.plugins.snapshotter(snapshotter)
        pulled = await images.pull(client, image, snapshotter=holder, chosen=chosen, registry=registry, quiet=quiet)
        return pulled.name

    click.echo(sessions.run(work))
