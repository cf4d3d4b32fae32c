"""Images of the daemon, fetched when they are missing, and brought to registries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from moorage_cli import lookups, progress
from moorage_client import manifests
from moorage_client.clients import Client
from moorage_sdk import errors, labels, platforms, references
from moorage_sdk.descriptors import INDEXES
from moorage_sdk.images import Image
from moorage_sdk.platforms import Platform
from moorage_sdk.transfers import Pull, Push, Registry, Unpack

MISSING, ALWAYS, NEVER = "missing", "always", "never"

LONGEST = 24 * 3600.0
"""Seconds for a push; a name that was made for it goes then, should nobody be left to remove it."""


async def obtain(client: Client, wanted: str, policy: str, snapshotter: str, platform: Platform | None) -> Image:
    """The image, pulled as ``policy`` says. Raises errors.NotFound, and whatever a pull raises."""
    if policy != ALWAYS:
        try:
            return await lookups.image(client, wanted)
        except errors.NotFound:
            if policy == NEVER:
                raise
    await pull(client, wanted, snapshotter=snapshotter, chosen=(platform or platforms.host(),), stderr=True)
    return await lookups.image(client, wanted)


async def pull(
    client: Client,
    wanted: str,
    *,
    snapshotter: str,
    chosen: tuple[Platform, ...],
    registry: Registry | None = None,
    stderr: bool = False,
    quiet: bool = False,
) -> Image:
    """Pull for the ``chosen`` platforms (none: all of the index) and unpack for those."""
    name = references.normalize(wanted)
    unpacks = [Unpack(platform, snapshotter) for platform in chosen or (platforms.host(),)]
    request = Pull(name, platforms=chosen, unpacks=unpacks, registry=registry or Registry())
    with progress.display(name, stderr=stderr, quiet=quiet) as report:
        await client.transfers.pull(request, report)
    return await client.images.get(name)


async def push(
    client: Client,
    wanted: str,
    reference: str = "",
    *,
    chosen: tuple[Platform, ...] = (),
    registry: Registry | None = None,
    quiet: bool = False,
) -> str:
    """Push to ``reference``, or where the image's name says; all of it, or what is for the ``chosen`` platforms."""
    image = await lookups.image(client, wanted)
    goal = references.normalize(reference or image.name)
    async with _alone(client, image, goal, chosen) as name:
        request = Push(goal, name, chosen if name == image.name else (), registry or Registry())
        with progress.display(goal, quiet=quiet, doing="pushing") as report:
            await client.transfers.push(request, report)
    return goal


@asynccontextmanager
async def _alone(client: Client, image: Image, goal: str, chosen: tuple[Platform, ...]) -> AsyncIterator[str]:
    """The name of what to push. The one platform of an index that is chosen gets a name of its own meanwhile.

    Registries take an index only with all it lists, and the Transfer service pushes nothing that has no name.
    """
    if image.target.media_type not in INDEXES or len(chosen) != 1:
        yield image.name
        return
    manifest, config = await manifests.select(client.contents, image.target, chosen[0])
    if platforms.preference(chosen[0], config.platform) != 0:
        raise errors.NotFound(f'image "{image.name}" for platform "{chosen[0]}": not found')
    name = f"{goal}@{manifest.descriptor.digest}"
    try:
        await client.images.create(Image(name, manifest.descriptor, labels.expiring(LONGEST)))
    except errors.AlreadyExists:
        yield name
        return
    try:
        yield name
    finally:
        with suppress(errors.NotFound):
            await client.images.delete(name)
