"""Images from and to archives: by the daemon where it can, else blob by blob."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from moorage_cli import progress
from moorage_client import archives, unpacks
from moorage_client.clients import Client
from moorage_sdk import errors, platforms, references
from moorage_sdk.images import Image
from moorage_sdk.transfers import ExtraName, Store, Unpack


async def load(client: Client, stream: BinaryIO, name: str, snapshotter: str, quiet: bool = True) -> list[Image]:
    """Store and name what is in an archive, and unpack it into ``snapshotter`` ("": not at all).

    ``name`` names an archive's only image, whatever the archive says. An image that has a tag only, and not the name of
    what it is a tag of, is called ``import-<date>``, as containerd's ``ctr`` does it.
    """
    if name or not await client.transfers.offered():
        images = await archives.load(client, stream, name)
        if snapshotter:
            for image in images:
                await _unpack(client, image, snapshotter)
        return images
    prefix = f"import-{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    extra = ExtraName(prefix, is_prefix=True, allow_overwrite=True)
    store = Store(extra_names=(extra,), unpacks=[Unpack(platforms.host(), snapshotter)] if snapshotter else [])
    with progress.display("archive", quiet=quiet, doing="loading") as report:
        names = await client.transfers.import_archive(stream, store, report)
    if not names:
        raise errors.InvalidArgument("archive: names no image: invalid argument", hint="give a name with --name")
    return [await _typed(client, each) for each in dict.fromkeys(names)]


@contextmanager
def written(path: str) -> Iterator[BinaryIO]:
    """The file ``path``, which is there only when all of it is; something else than a file is written to as it is."""
    target = Path(path)
    if target.exists() and not target.is_file():
        with open(target, "wb") as stream:
            yield stream
        return
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with open(descriptor, "wb") as stream:
            yield stream
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


async def _typed(client: Client, name: str) -> Image:
    """The image under the name that people's shorter ones stand for. Archives may have those."""
    image = await client.images.get(name)
    try:
        full = references.normalize(name)
    except errors.InvalidArgument:
        return image
    if full == name:
        return image
    image = await client.images.put(Image(full, image.target, image.labels))
    await client.images.delete(name)
    return image


async def _unpack(client: Client, image: Image, snapshotter: str) -> None:
    try:
        await unpacks.unpack(client, image.target, snapshotter)
    except errors.NotFound:
        click.echo(f"{image.name}: nothing for this platform, not unpacked", err=True)
