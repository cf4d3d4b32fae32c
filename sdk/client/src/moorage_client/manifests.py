"""What an image consists of: its index, manifest, configuration and layers, read from the content store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from moorage_client import documents
from moorage_client.contents import Contents
from moorage_sdk import errors, platforms
from moorage_sdk.descriptors import CONFIGS, INDEXES, MANIFESTS, Descriptor, is_layer
from moorage_sdk.platforms import Platform
from moorage_specs import configs
from moorage_specs.configs import Config

MAX_DEPTH = 8
"""Indexes inside indexes; the specification sets no limit, no image has more than two."""


@dataclass(frozen=True)
class Manifest:
    """One image for one platform. ``layers`` are those that belong to the file system, lowest first."""

    descriptor: Descriptor
    config: Descriptor
    layers: tuple[Descriptor, ...]


async def select(contents: Contents, target: Descriptor, wanted: Platform | None = None) -> tuple[Manifest, Config]:
    """The manifest for the wanted platform (this host's when None), and its configuration.

    An index entry may name no platform; then the configuration tells. Raises errors.NotFound when the image has
    nothing for the platform or its content is not there, errors.InvalidArgument for content that breaks the rules.
    """
    wanted = wanted or platforms.host()
    best: tuple[int, Manifest, Config] | None = None
    async for manifest in walk(contents, target, wanted):
        config = await read_config(contents, manifest)
        rank = platforms.preference(wanted, config.platform)
        if rank is not None and (best is None or rank < best[0]):
            best = rank, manifest, config
    if best is None:
        raise errors.NotFound(
            f'image "{target.digest}" for platform "{wanted}": not found',
            hint="pull it for this platform, or name another with --platform",
        )
    return best[1], best[2]


async def walk(
    contents: Contents, target: Descriptor, wanted: Platform | None = None, depth: int = 0
) -> AsyncIterator[Manifest]:
    """The manifests beneath ``target`` whose content is there; of those with a platform only the wanted ones."""
    subject = f'content "{target.digest}"'
    if target.media_type in MANIFESTS:
        document = documents.parse(await contents.read_whole(target, documents.LIMIT), subject)
        yield _manifest(target, document, subject)
        return
    if target.media_type not in INDEXES:
        raise errors.InvalidArgument(f'{subject}: media type "{target.media_type}" is no image: invalid argument')
    if depth == MAX_DEPTH:
        raise errors.InvalidArgument(f"{subject}: indexes nested too deeply: invalid argument")
    document = documents.parse(await contents.read_whole(target, documents.LIMIT), subject)
    for child, platform in index_entries(document, subject):
        if wanted and platform and platforms.preference(wanted, platform) is None:
            continue
        try:
            async for manifest in walk(contents, child, wanted, depth + 1):
                yield manifest
        except errors.NotFound:
            continue  # not pulled: a pull takes only the platforms that were asked for


def index_entries(document: Mapping[str, Any], subject: str) -> list[tuple[Descriptor, Platform | None]]:
    """What an index lists that is an image or an index. Raises errors.InvalidArgument."""
    if document.get("layers") or document.get("config") or document.get("fsLayers"):
        raise errors.InvalidArgument(f"{subject}: both index and manifest: invalid argument")
    entries = document.get("manifests")
    if not isinstance(entries, list):
        raise errors.InvalidArgument(f"{subject}: index without manifests: invalid argument")
    read = [(documents.descriptor(entry, subject), configs.platform(entry.get("platform"))) for entry in entries]
    return [entry for entry in read if entry[0].media_type in MANIFESTS | INDEXES]


def _manifest(descriptor: Descriptor, document: Mapping[str, Any], subject: str) -> Manifest:
    if document.get("manifests") or document.get("fsLayers"):
        raise errors.InvalidArgument(f"{subject}: both index and manifest: invalid argument")
    layers = document.get("layers")
    found = [documents.descriptor(layer, subject) for layer in layers] if isinstance(layers, list) else []
    config = documents.descriptor(document.get("config"), subject)
    return Manifest(descriptor, config, tuple(layer for layer in found if is_layer(layer.media_type)))


async def read_config(contents: Contents, manifest: Manifest) -> Config:
    """Raises errors.NotFound, errors.InvalidArgument (also for an artifact, which has no image configuration)."""
    subject = f'content "{manifest.config.digest}"'
    if manifest.config.media_type not in CONFIGS:
        raise errors.InvalidArgument(
            f'{subject}: media type "{manifest.config.media_type}" is no image configuration: invalid argument'
        )
    return configs.of(documents.parse(await contents.read_whole(manifest.config, documents.LIMIT), subject))
