"""Imports: from an archive to images with names.

In this order: the whole archive into the store, then labels that keep its parts together, then layers unpacked, then
names (core/transfer/local/import.go in containerd v2.3). A layer that nobody unpacks may be missing: archives leave
away what others may not have, and what a snapshotter brings by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from moorage_sdk import errors, platforms
from moorage_sdk.descriptors import CONFIGS, INDEXES, MANIFESTS, OCI_INDEX, Descriptor
from moorage_sdk.images import Image
from moorage_sdk.metadata import View
from moorage_sdk.transfers import Import, Progress, Report
from moorage_transfer_local import archives, names
from moorage_transfer_local.docker_archives import Converter
from moorage_transfer_local.documents import invalid
from moorage_transfer_local.flights import Places
from moorage_transfer_local.manifests import (
    MAX_CONFIG,
    Entry,
    Index,
    Manifest,
    check_depth,
    parse,
    reference_labels,
)
from moorage_transfer_local.options import Options
from moorage_transfer_local.picks import Found
from moorage_transfer_local.registries import MAX_MANIFEST
from moorage_transfer_local.stacks import plan
from moorage_transfer_local.stocks import Stock

LAYOUT_VERSION = "1.0.0"


@dataclass
class Importer:
    """One import, into a view under a lease. ``downloads`` is what unpacking waits on, ``unpacking`` as for a pull."""

    request: Import
    view: View
    blobs: Stock
    downloads: Executor
    options: Options
    unpacking: Places | None

    def run(self, report: Report) -> list[Image]:
        report(Progress("Importing"))
        target = self._target()
        index = parse(self.blobs.document(target, archives.JSON_LIMIT), target)
        if not isinstance(index, Index) or not index.entries:
            raise invalid("archive", "holds no image")
        self.blobs.label(target.digest, reference_labels(index.children))
        seen: set[str] = set()
        chosen = self._chosen(index)
        found = [list(self._walk(entry, 1, seen)) for entry in chosen]
        if not any(found) and not any(_is_other(entry) for entry in chosen):
            raise errors.NotFound("archive: no image for the platforms that are wanted: not found")
        for image in found:
            self._unpack([item for item in image if item.wanted])
        images = self._name(target, index.entries, report)
        report(Progress("Completed import"))
        return images

    def _target(self) -> Descriptor:
        """The index of all that is in the archive: its own, or one that is made for docker's list."""
        request, content, stop = self.request, self.view.content, self.blobs.stop
        archive = archives.read(request.source, content, stop, compressed=not request.media_type)
        if archive.layout is None or not archive.layout.get("imageLayoutVersion"):
            if archive.manifest is None:
                raise invalid("archive", "unrecognized image format")
            return Converter(archive, content, stop, request.force_compress).index()
        if archive.layout["imageLayoutVersion"] != LAYOUT_VERSION:
            raise invalid("archive", f"unsupported OCI version {str(archive.layout['imageLayoutVersion'])[:80]}")
        index = archive.blobs.get(archives.INDEX)
        if index is None:
            raise invalid("archive", f"missing {archives.INDEX} in OCI layout {LAYOUT_VERSION}")
        return replace(index, media_type=OCI_INDEX)

    def _walk(self, entry: Entry, depth: int, seen: set[str]) -> Iterator[Found]:
        """Label what is wanted of ``entry`` and below it. Raises errors.NotFound for a manifest that is not there."""
        descriptor = entry.descriptor
        if descriptor.digest in seen or _is_other(entry):
            return
        seen.add(descriptor.digest)
        check_depth(descriptor, depth)
        document = parse(self.blobs.document(descriptor, MAX_MANIFEST), descriptor)
        self.blobs.label(descriptor.digest, reference_labels(document.children))
        if isinstance(document, Manifest):
            yield Found(descriptor, document, self._config(document), self._fits(entry))
            return
        for child in self._chosen(document):
            yield from self._walk(child, depth + 1, seen)

    def _chosen(self, index: Index) -> Sequence[Entry]:
        store = self.request.store
        chosen = [entry for entry in index.entries if store.all_metadata or self._fits(entry)]
        if not store.manifest_limit:
            return chosen
        if not chosen:
            raise errors.NotFound("no match for platform in manifest: not found")
        ordered = sorted(chosen, key=lambda entry: (entry.platform is None, self._rank(entry)))
        return ordered[: store.manifest_limit]

    def _fits(self, entry: Entry) -> bool:
        wanted = self.request.store.platforms
        return not wanted or entry.platform is None or self._rank(entry) < len(wanted)

    def _rank(self, entry: Entry) -> int:
        return platforms.rank(self.request.store.platforms, entry.platform)

    def _config(self, manifest: Manifest) -> bytes | None:
        """Needed for unpacking only, and then it has to be there."""
        if not self.request.store.unpacks or manifest.config.media_type not in CONFIGS:
            return None
        return self.blobs.document(manifest.config, MAX_CONFIG)

    def _unpack(self, found: Sequence[Found]) -> None:
        for item, snapshotter in self.options.choose(found, self.request.store.unpacks):
            stack = plan(item.manifest, item.config, snapshotter)
            self.options.unpacker(self.view, stack, self.blobs, self.downloads, self.unpacking).run(stack)

    def _name(self, target: Descriptor, entries: Sequence[Entry], report: Report) -> list[Image]:
        """Name the index as the client says, and what it lists as the archive says; what has no name stays without."""
        store = self.request.store
        named = [(target, names.given(store, target))]
        named += [(entry.descriptor, names.annotated(store, entry.descriptor)) for entry in entries]
        self.blobs.stop.check()
        images = []
        for descriptor, wanted in named:
            for image in names.put(self.view.images, wanted) if wanted else []:
                report(Progress("saved", image.name, descriptor=descriptor))
                images.append(image)
        return images


def _is_other(entry: Entry) -> bool:
    """Whether it is neither an image nor an index: it is kept and named then, and not looked into."""
    return entry.descriptor.media_type not in INDEXES | MANIFESTS
