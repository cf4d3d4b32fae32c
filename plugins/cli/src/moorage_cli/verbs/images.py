"""``moorage images``: what is stored."""

from __future__ import annotations

from typing import Any

import click

from moorage_cli import options, sessions, tables
from moorage_client import manifests
from moorage_client.clients import Client
from moorage_sdk import errors, references
from moorage_sdk.images import Image


@click.command("images")
@click.option("-q", "--quiet", is_flag=True, help="Names only.")
@click.option("--no-trunc", is_flag=True, help="Whole digests.")
@options.output_format
def command(quiet: bool, no_trunc: bool, format: str) -> None:
    """List images. The size is that of the compressed layers that are stored."""
    found = sessions.run(_list_names if quiet else _list)
    if quiet:
        for image, _ in found:
            click.echo(image.name)
    elif format == "json":
        tables.show_json(_object(image, facts) for image, facts in found)
    else:
        rows = [_row(image, facts, no_trunc) for image, facts in found]
        tables.show(("IMAGE", "DIGEST", "PLATFORM", "CREATED", "SIZE"), rows)


async def _list_names(client: Client) -> list[tuple[Image, dict[str, int]]]:
    return [(image, {}) for image in await client.images.list()]


async def _list(client: Client) -> list[tuple[Image, dict[str, int]]]:
    return [(image, await _facts(client, image)) for image in await client.images.list()]


async def _facts(client: Client, image: Image) -> dict[str, int]:
    """Bytes of layers per platform whose content is here; nothing for what is damaged or no image."""
    facts: dict[str, int] = {}
    try:
        async for manifest in manifests.walk(client.contents, image.target):
            config = await manifests.read_config(client.contents, manifest)
            facts[str(config.platform)] = sum(layer.size for layer in manifest.layers)
    except (errors.NotFound, errors.InvalidArgument, errors.DataLoss):
        return facts
    return facts


def _row(image: Image, facts: dict[str, int], whole: bool) -> tuple[str, ...]:
    digest = image.target.digest.partition(":")[2]
    return (
        references.familiar(image.name),
        image.target.digest if whole else digest[:12],
        ",".join(facts),
        tables.ago(image.updated_at),
        tables.size(sum(facts.values())),
    )


def _object(image: Image, facts: dict[str, int]) -> dict[str, Any]:
    return {
        "name": image.name,
        "digest": image.target.digest,
        "media_type": image.target.media_type,
        "platforms": facts,
        "created_at": image.created_at,
        "updated_at": image.updated_at,
        "labels": dict(image.labels),
    }
