"""``moorage save``: images into an archive, by the daemon."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import click

from moorage_cli import archives, lookups, sessions
from moorage_client.clients import Client
from moorage_sdk import platforms
from moorage_sdk.transfers import Export


@click.command("save")
@click.option("-o", "--output", "path", default="-", metavar="FILE", help="Archive; standard output otherwise.")
@click.option("--platform", "wanted", multiple=True, metavar="OS/ARCH", help="Platform to save; may be repeated.")
@click.option("--all-platforms", is_flag=True, help="Save every platform of an image.")
@click.argument("images", nargs=-1, required=True)
def command(path: str, wanted: tuple[str, ...], all_platforms: bool, images: tuple[str, ...]) -> None:
    """Save IMAGES in one archive, which docker, skopeo and every containerd can load."""
    if path == "-" and sys.stdout.isatty():
        raise click.UsageError("the archive goes to --output or to standard output, but not to a terminal")
    chosen = tuple(platforms.parse(each) for each in wanted)

    async def work(client: Client) -> None:
        names = [(await lookups.image(client, image)).name for image in images]
        with ExitStack() as stack:
            stream = sys.stdout.buffer if path == "-" else stack.enter_context(archives.written(path))
            export = Export(tuple(names), stream, platforms=chosen, all_platforms=all_platforms)
            await client.transfers.export_archive(export)

    sessions.run(work)
