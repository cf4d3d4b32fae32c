"""What ``docker save`` wrote before it wrote OCI layouts: files, and a list of which of them make an image.

Manifests and an index are made for them, byte for byte those that containerd makes (core/images/archive/importer.go).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from moorage_sdk import labels
from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    DOCKER_LAYER_ZSTD,
    DOCKER_MANIFEST,
    OCI_INDEX,
    Descriptor,
)
from moorage_tars import compressions
from moorage_transfer_local import ingests, listings, names, stocks
from moorage_transfer_local.archives import Archive
from moorage_transfer_local.documents import invalid
from moorage_transfer_local.manifests import MAX_CHILDREN, MAX_CONFIG, Entry, parse_platform
from moorage_transfer_local.stops import Stop

PIECE = 1 << 20
_TYPES = {compressions.GZIP: DOCKER_LAYER_GZIP, compressions.ZSTD: DOCKER_LAYER_ZSTD, "": DOCKER_LAYER}


@dataclass(frozen=True)
class _Listed:
    """One image, as the list has it."""

    config: str
    tags: tuple[str, ...]
    layers: tuple[str, ...]


@dataclass
class Converter:
    """Makes manifests for one archive. With ``compress`` plain layers are compressed."""

    archive: Archive
    content: ContentStore
    stop: Stop
    compress: bool

    def index(self) -> Descriptor:
        """The index of all images. Raises errors.InvalidArgument when the archive lacks what it lists."""
        entries = [entry for item in self.archive.manifest or [] for entry in self._image(_listed(item))]
        if not entries:
            raise invalid("archive", "holds no image")
        return self._store(listings.index(entries), OCI_INDEX)

    def _image(self, listed: _Listed) -> list[Entry]:
        config = self.archive.find(listed.config)
        if config is None:
            raise invalid("archive", f'image config "{listed.config[:300]}" not found')
        config = replace(config, media_type=DOCKER_CONFIG)
        platform = parse_platform(stocks.read(self.content, config.digest, MAX_CONFIG), config)
        layers = self._layers(listed.layers)
        target = self._store(listings.docker_manifest(config, layers), DOCKER_MANIFEST)
        tags = [names.normalize(tag) for tag in listed.tags]
        return [Entry(replace(target, annotations=names.as_annotations(tag)), platform) for tag in tags] or [
            Entry(target, platform)
        ]

    def _layers(self, paths: Sequence[str]) -> list[Descriptor]:
        return [self._typed(self._packed.get(layer.digest, layer)) for layer in map(self._layer, paths)]

    def _layer(self, path: str) -> Descriptor:
        found = self.archive.find(path)
        if found is None:
            raise invalid("archive", f'layer "{path[:300]}" not found')
        return found

    @cached_property
    def _packed(self) -> dict[str, Descriptor]:
        """By the digest of plain layers: compressed ones that the store has of them already, such as from a pull."""
        plain = {blob.digest for blob in self.archive.blobs.values()}
        known = [(info.labels.get(labels.UNCOMPRESSED, ""), info) for info in self.content.walk()]
        return {
            diff_id: Descriptor("", info.digest, info.size)
            for diff_id, info in known
            if diff_id in plain and ingests.hold(self.content, info.digest)
        }

    def _typed(self, layer: Descriptor) -> Descriptor:
        """The layer with its media type, which only its bytes tell."""
        with self.content.reader(layer.digest) as reader:
            head = reader.read_at(0, compressions.HEAD) if layer.size else b""
        kind = compressions.detect(head)
        if not kind and self.compress and layer.size:
            packed = self._packed[layer.digest] = self._compressed(layer)
            return packed
        return replace(layer, media_type=_TYPES[kind])

    def _compressed(self, layer: Descriptor) -> Descriptor:
        ref = f"compress-blob-{layer.digest.replace(':', '-')}"
        with self.content.reader(layer.digest) as reader, ingests.fresh(self.content, ref) as writer:
            with compressions.gzipped(writer) as sink:
                for offset in range(0, layer.size, PIECE):
                    self.stop.check()
                    sink.write(reader.read_at(offset, PIECE))
            size = writer.status().offset
            digest = ingests.commit(writer, {labels.UNCOMPRESSED: layer.digest})
        return Descriptor(DOCKER_LAYER_GZIP, digest, size)

    def _store(self, data: bytes, media_type: str) -> Descriptor:
        return ingests.store_bytes(self.content, data, media_type)


def _listed(item: Any) -> _Listed:
    fields = item if isinstance(item, dict) else {}
    config = fields.get("Config")
    if not isinstance(config, str):
        raise invalid('archive: "manifest.json"', '"Config" is missing or not a name')
    return _Listed(config, _names(fields, "RepoTags"), _names(fields, "Layers"))


def _names(fields: dict[str, Any], key: str) -> tuple[str, ...]:
    value = fields.get(key) or []
    if not isinstance(value, list) or len(value) > MAX_CHILDREN or not all(isinstance(name, str) for name in value):
        raise invalid('archive: "manifest.json"', f'"{key}" is not a list of at most {MAX_CHILDREN} names')
    return tuple(value)
