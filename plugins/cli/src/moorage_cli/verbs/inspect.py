"""``moorage inspect``: all there is to know, as JSON."""

from __future__ import annotations

import json
from typing import Any

import click

from moorage_cli import lookups, sessions
from moorage_client import containers as records
from moorage_client import manifests
from moorage_client.clients import Client
from moorage_sdk import errors
from moorage_sdk.containers import Container
from moorage_sdk.images import Image


@click.command("inspect")
@click.option("--type", "kind", type=click.Choice(["container", "image"]), default=None, help="What the names name.")
@click.argument("names", nargs=-1, required=True)
def command(names: tuple[str, ...], kind: str | None) -> None:
    """Show containers or images as a JSON array."""

    async def work(client: Client) -> list[dict[str, Any]]:
        return [await _inspect(client, name, kind) for name in names]

    click.echo(json.dumps(sessions.run(work), indent=2, ensure_ascii=False))


async def _inspect(client: Client, name: str, kind: str | None) -> dict[str, Any]:
    if kind != "image":
        try:
            return await _container(client, await lookups.container(client, name))
        except errors.NotFound:
            if kind == "container":
                raise
    try:
        return await _image(client, await lookups.image(client, name))
    except (errors.InvalidArgument, errors.NotFound):
        if kind == "image":
            raise
        raise errors.NotFound(f'container or image "{name}": not found') from None


async def _container(client: Client, container: Container) -> dict[str, Any]:
    process = await lookups.task(client, container.id)
    task = (
        {
            "status": process.status.name.lower(),
            "pid": process.pid,
            "exit_status": process.exit_status,
            "exited_at": process.exited_at,
            "stdin": process.stdio.stdin,
            "stdout": process.stdio.stdout,
            "stderr": process.stdio.stderr,
            "terminal": process.stdio.terminal,
        }
        if process
        else None
    )
    return {
        "id": container.id,
        "image": container.image,
        "labels": dict(container.labels),
        "runtime": container.runtime.name,
        "snapshotter": container.snapshotter,
        "snapshot_key": container.snapshot_key,
        "created_at": container.created_at,
        "updated_at": container.updated_at,
        "task": task,
        "spec": records.spec_of(container) if container.spec else None,
    }


async def _image(client: Client, image: Image) -> dict[str, Any]:
    found = [
        {
            "digest": manifest.descriptor.digest,
            "platform": str((config := await manifests.read_config(client.contents, manifest)).platform),
            "config": manifest.config.digest,
            "layers": [{"digest": layer.digest, "size": layer.size} for layer in manifest.layers],
            "entrypoint": list(config.entrypoint),
            "command": list(config.command),
            "env": list(config.env),
            "user": config.user,
            "working_dir": config.working_dir,
            "labels": dict(config.labels),
        }
        async for manifest in manifests.walk(client.contents, image.target)
    ]
    return {
        "name": image.name,
        "target": {
            "media_type": image.target.media_type,
            "digest": image.target.digest,
            "size": image.target.size,
        },
        "labels": dict(image.labels),
        "created_at": image.created_at,
        "updated_at": image.updated_at,
        "manifests": found,
    }
