"""Exports: images into one archive, an OCI layout that dockers of old can load, too.

What is in it, in which order and with which words, is core/images/archive/exporter.go in containerd v2.3: the same
images give the same bytes. Unlike there, everything is looked for before the first byte is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from moorage_sdk import digests, errors, labels, platforms, references
from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import INDEXES, MANIFESTS, Descriptor, is_distributable
from moorage_sdk.images import Image
from moorage_sdk.platforms import Platform
from moorage_sdk.transfers import Export
from moorage_tars.writers import Writer
from moorage_transfer_local import listings, names
from moorage_transfer_local.archives import INDEX, LAYOUT, MANIFEST
from moorage_transfer_local.documents import dump
from moorage_transfer_local.imports import LAYOUT_VERSION
from moorage_transfer_local.manifests import Entry, Index, Manifest, check_depth, parse
from moorage_transfer_local.registries import MAX_MANIFEST
from moorage_transfer_local.stocks import Stock

PIECE = 1 << 20


@dataclass
class _Docker:
    """A manifest in docker's list, with the names of images that are this manifest."""

    manifest: Descriptor
    names: list[str] = field(default_factory=list)


@dataclass
class Exporter:
    """One export. Everything that goes into the archive is collected first, by its path."""

    request: Export
    content: ContentStore
    stock: Stock
    _documents: dict[str, bytes] = field(default_factory=dict)
    _blobs: dict[str, Descriptor] = field(default_factory=dict)
    _folders: set[str] = field(default_factory=set)
    _docker: dict[str, _Docker] = field(default_factory=dict)

    def run(self, images: Sequence[Image]) -> None:
        self._documents[LAYOUT] = dump({"imageLayoutVersion": LAYOUT_VERSION})
        targets = [self._target(image) for image in images]
        for image, target in zip(images, targets, strict=True):
            self._add(image.name, target)
        self._documents[INDEX] = listings.layout_index([Entry(target) for target in targets])
        if self._docker and not self.request.skip_compatibility_manifest:
            self._documents[MANIFEST] = self._docker_list()
        for path, blob in self._blobs.items():
            self._check(path, blob)
        self._write()

    @property
    def _platforms(self) -> Sequence[Platform]:
        return self.request.platforms or (platforms.host(),)

    def _target(self, image: Image) -> Descriptor:
        """The image's entry in the index: it says what the image is called, and where its content was seen."""
        info = self.content.info(image.target.digest)
        seen = {key: value for key, value in info.labels.items() if key.startswith(labels.DISTRIBUTION_SOURCE)}
        said = {**image.target.annotations, **names.as_annotations(image.name), **seen}
        return replace(image.target, annotations=said)

    def _add(self, name: str, target: Descriptor) -> None:
        if target.media_type in MANIFESTS:
            manifest: Descriptor | None = target
            self._tree(target, 0)
        elif target.media_type in INDEXES:
            self._blob(target, folder=False)
            manifest = self._of_index(target)
        else:
            raise errors.InvalidArgument(f'image "{name}": only manifests may be exported: invalid argument')
        if manifest is not None:
            self._docker.setdefault(manifest.digest, _Docker(manifest)).names.append(name)

    def _of_index(self, target: Descriptor) -> Descriptor | None:
        """Add what is wanted of an index; the manifest that stands for it with those who know no index."""
        wanted, index = self._platforms, self._parse(target)
        entries = index.entries if isinstance(index, Index) else ()
        fitting = [entry for entry in entries if entry.platform is None or self._rank(entry) < len(wanted)]
        for entry in entries if self.request.all_platforms else fitting:
            self._tree(entry.descriptor, 0)
        if not fitting:
            raise errors.NotFound("no manifest found for platform: not found")
        manifests = [entry for entry in fitting if entry.descriptor.media_type in MANIFESTS]
        first = min(manifests, key=lambda entry: (entry.platform is None, self._rank(entry)), default=None)
        return first.descriptor if first else None

    def _rank(self, entry: Entry) -> int:
        return platforms.rank(self._platforms, entry.platform)

    def _tree(self, descriptor: Descriptor, depth: int) -> None:
        """Add a manifest or index with all that it lists."""
        check_depth(descriptor, depth)
        known = self._path(descriptor) in self._blobs
        self._blob(descriptor)
        if descriptor.media_type in INDEXES | MANIFESTS and not known:
            for child in self._parse(descriptor).children:
                self._tree(child, depth + 1)

    def _parse(self, descriptor: Descriptor) -> Index | Manifest:
        return parse(self.stock.document(descriptor, MAX_MANIFEST), descriptor)

    def _blob(self, descriptor: Descriptor, folder: bool = True) -> None:
        if folder:
            self._folders.add(digests.split(descriptor.digest)[0])
        if is_distributable(descriptor.media_type) or not self.request.skip_non_distributable:
            self._blobs[self._path(descriptor)] = descriptor

    def _path(self, descriptor: Descriptor) -> str:
        return "blobs/" + "/".join(digests.split(descriptor.digest))

    def _docker_list(self) -> bytes:
        """``manifest.json``: what is an image, by paths."""
        listed = []
        for item in self._docker.values():
            manifest = self._parse(item.manifest)
            if isinstance(manifest, Manifest):
                layers = [self._path(layer) for layer in manifest.layers]
                tags = [_familiar(name) for name in item.names]
                listed.append({"Config": self._path(manifest.config), "RepoTags": tags, "Layers": layers or None})
        return dump(listed)

    def _check(self, path: str, blob: Descriptor) -> None:
        size = self.content.info(blob.digest).size
        if size != blob.size:
            raise errors.DataLoss(f'archive: "{path}": {size} bytes in the store, {blob.size} are said: data loss')

    def _write(self) -> None:
        writer = Writer(self.request.sink)
        folders = ["blobs/", *(f"blobs/{algorithm}/" for algorithm in self._folders)] if self._folders else []
        for path in sorted([*folders, *self._blobs, *self._documents]):
            self.stock.stop.check()
            if path.endswith("/"):
                writer.directory(path, 0o755)
            elif path in self._blobs:
                self._copy(writer, path, self._blobs[path])
            else:
                data = self._documents[path]
                writer.file(path, 0o444 if path == LAYOUT else 0o644, len(data))
                writer.write(data)
        writer.close()

    def _copy(self, writer: Writer, path: str, blob: Descriptor) -> None:
        """A blob, looked at on the way: what a disk has lost must not become somebody's image."""
        hashed = digests.hasher(digests.split(blob.digest)[0])
        writer.file(path, 0o444, blob.size)
        for piece in self._pieces(blob):
            hashed.update(piece)
            writer.write(piece)
        if hashed.hexdigest() != digests.split(blob.digest)[1]:
            raise errors.DataLoss(f'archive: "{path}": the store has other bytes than the digest says: data loss')

    def _pieces(self, blob: Descriptor) -> Iterator[bytes]:
        with self.content.reader(blob.digest) as reader:
            for offset in range(0, blob.size, PIECE):
                self.stock.stop.check()
                yield reader.read_at(offset, PIECE)


def _familiar(name: str) -> str:
    """As people type it. Raises errors.InvalidArgument for an image with a name that is no reference."""
    return references.full(name).familiar
