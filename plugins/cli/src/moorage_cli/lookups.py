"""Containers and images by what people type."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from moorage_sdk import errors
from moorage_sdk.containers import Container
from moorage_sdk.images import Image
from moorage_sdk.tasks import Process, Status

if TYPE_CHECKING:
    from moorage_client.clients import Client

NERDCTL_NAME = "nerdctl/name"
"""Label in which nerdctl keeps the name of a container whose id is random."""

RUNNING = frozenset({Status.RUNNING, Status.PAUSED, Status.PAUSING})


async def container(client: Client, wanted: str) -> Container:
    """By id, by nerdctl's name, or by the beginning of an id. Raises errors.NotFound, errors.InvalidArgument."""
    try:
        return await client.containers.get(wanted)
    except (errors.NotFound, errors.InvalidArgument):
        pass
    known = await client.containers.list()
    named = [each for each in known if each.labels.get(NERDCTL_NAME) == wanted]
    found = named or [each for each in known if wanted and each.id.startswith(wanted)]
    if not found:
        raise errors.NotFound(f'container "{wanted}": not found', hint="moorage ps -a lists what there is")
    if len(found) > 1:
        raise errors.InvalidArgument(
            f'container "{wanted}": ambiguous', hint="it could be " + ", ".join(each.id for each in found[:5])
        )
    return found[0]


async def task(client: Client, id: str) -> Process | None:
    """The init process of a container; None when it has none."""
    try:
        return await client.tasks.get(id)
    except errors.NotFound:
        return None


async def running(client: Client, wanted: str) -> tuple[Container, Process]:
    """A container that runs or is paused. Raises errors.NotFound, errors.FailedPrecondition."""
    found = await container(client, wanted)
    process = await task(client, found.id)
    if process is None or process.status not in RUNNING:
        raise errors.FailedPrecondition(
            f'container "{found.id}": not running', hint=f"moorage start {found.id} starts it again"
        )
    return found, process


async def image(client: Client, wanted: str) -> Image:
    """By the name as it is stored, or by what people type for it.

    Raises errors.NotFound, errors.InvalidArgument for what is neither stored nor an image reference.
    """
    from moorage_sdk import references

    with suppress(errors.NotFound):
        return await client.images.get(wanted)
    try:
        return await client.images.get(references.normalize(wanted))
    except errors.NotFound:
        hint = f"moorage pull {wanted} fetches it"
        raise errors.NotFound(f'image "{wanted}": not found', hint=hint) from None
