"""Images of the daemon, fetched when they are missing."""

from __future__ import annotations

from moorage_cli import lookups, progress
from moorage_client.clients import Client
from moorage_sdk import errors, platforms, references
from moorage_sdk.images import Image
from moorage_sdk.platforms import Platform
from moorage_sdk.transfers import Pull, Registry, Unpack

MISSING, ALWAYS, NEVER = "missing", "always", "never"


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
