"""``moorage load``: images from an archive."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import BinaryIO, cast

import click

from moorage_cli import archives, options, sessions
from moorage_client.clients import Client
from moorage_sdk.images import Image


@click.command("load")
@click.option("-i", "--input", "path", default="-", metavar="FILE", help="Archive; standard input otherwise.")
@click.option("--name", default="", help="Name for the archive's only image, whatever it says.")
@click.option("--no-unpack", is_flag=True, help="Store it only; the first run unpacks it.")
@options.snapshotter
def command(path: str, name: str, no_unpack: bool, snapshotter: str) -> None:
    """Load the images of an OCI or docker archive, and unpack those for this machine."""
    if path == "-" and sys.stdin.isatty():
        raise click.UsageError("the archive comes from --input or from standard input")

    async def work(client: Client) -> list[Image]:
        with ExitStack() as stack:
            stream = sys.stdin.buffer if path == "-" else stack.enter_context(open(path, "rb"))
            chosen = "" if no_unpack else await client.plugins.snapshotter(snapshotter)
            return await archives.load(client, cast(BinaryIO, stream), name, chosen)

    for image in sessions.run(work):
        click.echo(f"loaded {image.name}")
