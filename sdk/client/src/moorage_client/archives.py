"""Image archives (``docker save``, OCI layouts in a tar) into the content store.

Blobs go in as they come, under a lease; the archive need not be seekable. What is made of them, and the names that the
images get, follows ``core/images/archive/importer.go`` and ``client/import.go`` in containerd v2.3.
"""

from __future__ import annotations

import itertools
import json
import os
import posixpath
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from moorage_client import documents, manifests
from moorage_client.clients import Client
from moorage_sdk import digests, errors, labels, references
from moorage_sdk.descriptors import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_LAYER_ZSTD,
    DOCKER_MANIFEST,
    INDEXES,
    OCI_INDEX,
    Descriptor,
)
from moorage_sdk.images import Image
from moorage_specs import fields
from moorage_tars import compressions, entries

IMAGE_NAME = "io.containerd.image.name"
REF_NAME = "org.opencontainers.image.ref.name"
_BLOB = re.compile(r"blobs/([a-z0-9]+)/([a-f0-9]+)")
_MAGIC = {b"\x1f\x8b": DOCKER_LAYER_GZIP, b"\x28\xb5\x2f\xfd": DOCKER_LAYER_ZSTD}


@dataclass
class _Archive:
    """What was found on the way through: blobs by their path, symbolic links, and the two documents."""

    blobs: dict[str, Descriptor] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    layout: dict[str, Any] | None = None
    manifest: list[Any] | None = None

    def find(self, path: str) -> Descriptor:
        """Raises errors.InvalidArgument for a blob that the archive names and does not have."""
        path = posixpath.normpath(path)
        blob = self.blobs.get(self.links.get(path, path))
        if blob is None:
            raise errors.InvalidArgument(f'archive: blob "{path}": missing: invalid argument')
        return blob


async def load(client: Client, stream: compressions.Source, name: str = "") -> list[Image]:
    """Store the images of an archive and name them; the images.

    ``name`` names an archive's only image, whatever the archive says. Existing names are moved to the new image.
    Raises errors.InvalidArgument for an archive that is none, or names no image while ``name`` is empty, and
    errors.DataLoss for a damaged one. Nothing is named then.
    """
    async with client.leased() as leased:
        archive = await _ingest(leased, compressions.Plain(stream))
        found = await (_from_docker if archive.layout is None else _from_layout)(leased, archive)
        named = _names(found, name)
        for target in {each.digest: each for _, each in named}.values():
            await _label_children(leased, target)
        return [await leased.images.put(Image(each, target)) for each, target in named]


async def _ingest(client: Client, stream: compressions.Source) -> _Archive:
    archive = _Archive()
    for entry in entries.entries(stream):
        await _ingest_entry(client, archive, entry)
    return archive


async def _ingest_entry(client: Client, archive: _Archive, entry: entries.Entry) -> None:
    path = posixpath.normpath(entry.name)
    if entry.kind in (entries.SYMLINK, entries.LINK):
        base = posixpath.dirname(path) if entry.kind == entries.SYMLINK else ""
        archive.links[path] = posixpath.normpath(posixpath.join(base, entry.target))
    elif entry.kind == entries.REGULAR and path == "oci-layout":
        archive.layout = documents.parse(_small(entry), 'archive: "oci-layout"')
    elif entry.kind == entries.REGULAR and path == "manifest.json":
        archive.manifest = documents.parse_list(_small(entry), 'archive: "manifest.json"')
    elif entry.kind == entries.REGULAR and entry.size:  # nothing empty is a blob of an image
        archive.blobs[path] = await _store_blob(client, path, entry)


def _small(entry: entries.Entry) -> bytes:
    if entry.size > documents.ARCHIVE_LIMIT:
        raise errors.InvalidArgument(
            f'archive: "{entry.name}": larger than {documents.ARCHIVE_LIMIT} bytes: invalid argument'
        )
    return b"".join(entry.pieces())


async def _store_blob(client: Client, path: str, entry: entries.Entry) -> Descriptor:
    """Under its own name the digest is known before the bytes, so a blob that exists is not sent again."""
    named = _BLOB.fullmatch(path)
    expected = digests.validate(f"{named[1]}:{named[2]}") if named else ""
    hashed, data = digests.hasher(), entry.pieces()
    first = next(data)

    async def pieces() -> AsyncIterator[bytes]:
        for piece in itertools.chain([first], data):
            hashed.update(piece)
            yield piece

    ref = f"load-{expected or os.urandom(8).hex()}"
    try:
        digest = await client.contents.write(ref, pieces(), size=entry.size, expected=expected)
    except errors.FailedPrecondition as error:
        raise errors.DataLoss(f'archive: blob "{path}": {error.message}: data loss') from None
    except errors.AlreadyExists:
        digest = f"sha256:{hashed.hexdigest()}"  # found out at the commit, when all was sent
    media_type = next((kind for magic, kind in _MAGIC.items() if first.startswith(magic)), DOCKER_LAYER)
    return Descriptor(media_type, digest, entry.size)


async def _from_layout(client: Client, archive: _Archive) -> list[tuple[str, Descriptor]]:
    layout = archive.layout or {}
    if layout.get("imageLayoutVersion") != "1.0.0":
        raise errors.InvalidArgument(
            f'archive: OCI layout "{layout.get("imageLayoutVersion")}": unsupported: invalid argument'
        )
    index = replace(archive.find("index.json"), media_type=OCI_INDEX)
    document = documents.parse(await client.contents.read_whole(index, documents.ARCHIVE_LIMIT), "archive: index")
    entries = manifests.index_entries(document, "archive: index")
    return [(_annotated(target), replace(target, annotations={})) for target, _ in entries]


def _annotated(target: Descriptor) -> str:
    """The full name that a layout gives an image; a bare tag is none, since it does not say of what."""
    name = target.annotations.get(IMAGE_NAME) or target.annotations.get(REF_NAME, "")
    return references.normalize(name) if "/" in name or ":" in name else ""


async def _from_docker(client: Client, archive: _Archive) -> list[tuple[str, Descriptor]]:
    if archive.manifest is None:
        raise errors.InvalidArgument(
            "archive: neither an OCI layout nor a docker archive: invalid argument",
            hint="make one with docker save, or with skopeo copy ... oci-archive:FILE",
        )
    found: list[tuple[str, Descriptor]] = []
    for entry in archive.manifest:
        listed = entry if isinstance(entry, dict) else {}
        target = await _write_manifest(client, archive, listed)
        names = [references.normalize(tag) for tag in fields.string_list(listed.get("RepoTags"))]
        found += [(each, target) for each in names or [""]]
    return found


async def _write_manifest(client: Client, archive: _Archive, entry: Mapping[str, Any]) -> Descriptor:
    """A manifest for one entry of ``manifest.json``, which lists files and not descriptors."""
    config = replace(archive.find(str(entry.get("Config"))), media_type=DOCKER_CONFIG)
    layers = [archive.find(path) for path in fields.string_list(entry.get("Layers"))]
    document = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": _listed(config),
        "layers": [_listed(layer) for layer in layers],
    }
    data = json.dumps(document).encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield data

    digest = digests.of(data)
    await client.contents.write(f"manifest-{digest}", pieces(), size=len(data), expected=digest)
    return Descriptor(DOCKER_MANIFEST, digest, len(data))


def _listed(blob: Descriptor) -> dict[str, Any]:
    return {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size}


def _names(found: list[tuple[str, Descriptor]], wanted: str) -> list[tuple[str, Descriptor]]:
    targets = list({target.digest: target for _, target in found}.values())
    if not targets:
        raise errors.InvalidArgument("archive: holds no image: invalid argument")
    if wanted:
        if len(targets) > 1:
            raise errors.InvalidArgument(
                f"archive: holds {len(targets)} images, so one name will not do: invalid argument"
            )
        return [(references.normalize(wanted), targets[0])]
    named = [(name, target) for name, target in found if name]
    if not named:
        raise errors.InvalidArgument("archive: names no image: invalid argument", hint="give a name with --name")
    return named


async def _label_children(client: Client, target: Descriptor) -> None:
    """Let the garbage collector find from an index its manifests, and from a manifest its blobs."""
    subject = f'content "{target.digest}"'
    document = documents.parse(await client.contents.read_whole(target, documents.LIMIT), subject)
    if target.media_type in INDEXES:
        children = [child for child, _ in manifests.index_entries(document, subject)]
        for child in children:
            try:
                await _label_children(client, child)
            except errors.NotFound:
                continue  # an archive may hold some of the platforms only
        wanted = {f"{labels.GC_REF_CONTENT}.m.{i}": child.digest for i, child in enumerate(children)}
    else:
        layers = document.get("layers")
        listed = [documents.descriptor(each, subject) for each in layers] if isinstance(layers, list) else []
        config = documents.descriptor(document.get("config"), subject)
        wanted = {f"{labels.GC_REF_CONTENT}.l.{i}": layer.digest for i, layer in enumerate(listed)}
        wanted[f"{labels.GC_REF_CONTENT}.config"] = config.digest
    await client.contents.label(target.digest, wanted)
