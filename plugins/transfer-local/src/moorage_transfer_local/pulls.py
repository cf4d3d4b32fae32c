"""Pulls: one image from a registry, from its reference down to the layers and back up to the name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from moorage_sdk import errors
from moorage_sdk.descriptors import CONFIGS, INDEXES, MANIFESTS, Descriptor
from moorage_sdk.images import Image
from moorage_sdk.metadata import View
from moorage_sdk.transfers import Pull, Store
from moorage_transfer_local import names
from moorage_transfer_local.fetches import Fetcher
from moorage_transfer_local.flights import Places
from moorage_transfer_local.manifests import (
    MAX_CONFIG,
    Entry,
    Index,
    Manifest,
    check_depth,
    choose,
    parse,
    reference_labels,
)
from moorage_transfer_local.options import Options
from moorage_transfer_local.picks import Found
from moorage_transfer_local.registries import MAX_MANIFEST
from moorage_transfer_local.stacks import Stack, plan
from moorage_transfer_local.unpacks import Unpacker


@dataclass
class PullSession:
    """One pull, from the reference down. Runs on a thread of its own."""

    pull: Pull
    view: View
    fetcher: Fetcher
    downloads: Executor
    options: Options
    unpacking: Places | None

    def run(self) -> Image:
        tracker, repository = self.fetcher.tracker, self.fetcher.repository
        tracker.say(f"Resolving from OCI Registry ({self.pull.reference})")
        target = repository.resolve()
        tracker.say(f"Pulling from OCI Registry ({self.pull.reference})")
        tracker.image("fetching image content", target)
        found = list(self._walk(Entry(target), 0, set()))
        if not any(item.wanted for item in found):
            wanted = ", ".join(str(platform) for platform in self.pull.platforms) or "any platform"
            raise errors.NotFound(f'image "{self.pull.reference}": no match for platform {wanted}: not found')
        self._layers([item for item in found if item.wanted])
        images = self._name(target)
        # In this order because ctr draws only when a line with a name comes, and so would never show the first of them.
        tracker.say(f"Completed pull from OCI Registry ({self.pull.reference})")
        for image in images:
            tracker.saved(image.name, target)
        return images[0]

    def _walk(self, entry: Entry, depth: int, seen: set[str], wanted: bool = True) -> Iterator[Found]:
        """Fetch manifests and configurations below ``entry``; of an index those that are wanted."""
        descriptor = entry.descriptor
        if descriptor.digest in seen:
            return
        seen.add(descriptor.digest)
        check_depth(descriptor, depth)
        if descriptor.media_type not in INDEXES | MANIFESTS:
            yield from self._other(descriptor, depth)
            return
        self.fetcher.tracker.wanted(descriptor)
        document = self._document(descriptor)
        if isinstance(document, Manifest):
            yield Found(descriptor, document, self._config(document), wanted)
            return
        chosen = choose(document.entries, self.pull.platforms)
        for child in chosen:
            yield from self._walk(child, depth + 1, seen, wanted)
        if self.pull.all_metadata:
            for child in document.entries:
                yield from self._walk(child, depth + 1, seen, wanted=False)

    def _other(self, descriptor: Descriptor, depth: int) -> Iterator[Found]:
        """What an index may list beside manifests is fetched as it is; an image cannot be that."""
        if depth == 0:
            parse(b"{}", descriptor)  # raises, saying what is wrong with the media type
        self.fetcher.tracker.wanted(descriptor)
        self.fetcher.blob(descriptor)
        yield from ()

    def _document(self, descriptor: Descriptor) -> Index | Manifest:
        parsed: list[Index | Manifest] = []

        def read(data: bytes) -> dict[str, str]:
            document = parse(data, descriptor)
            parsed.append(document)
            return reference_labels(document.children)

        self.fetcher.document(descriptor, MAX_MANIFEST, read)
        self.fetcher.tracker.children(descriptor, parsed[0].children)
        return parsed[0]

    def _config(self, manifest: Manifest) -> bytes | None:
        self.fetcher.tracker.wanted(manifest.config)
        if manifest.config.media_type not in CONFIGS:
            self.fetcher.blob(manifest.config)
            return None
        return self.fetcher.document(manifest.config, MAX_CONFIG)

    def _layers(self, found: Sequence[Found]) -> None:
        """Fetch all layers; those of images that are to be unpacked come through the unpacker."""
        for layer in (layer for item in found for layer in item.manifest.layers):
            self.fetcher.tracker.wanted(layer)
        chosen = self.options.choose(found, self.pull.unpacks)
        stacks = [plan(item.manifest, item.config, name) for item, name in chosen]
        unpackers = [self._unpacker(stack) for stack in stacks]  # whatever is missing is told before layers come
        unpacked = {layer.descriptor.digest for stack in stacks for layer in stack.layers}
        plain = {blob.digest: blob for item in found for blob in item.manifest.layers if blob.digest not in unpacked}
        fetches = [self.downloads.submit(self.fetcher.blob, blob) for blob in plain.values()]
        for unpacker, stack in zip(unpackers, stacks, strict=True):
            unpacker.run(stack)
        for fetch in fetches:
            fetch.result()

    def _unpacker(self, stack: Stack) -> Unpacker:
        return self.options.unpacker(self.view, stack, self.fetcher, self.downloads, self.unpacking)

    def _name(self, target: Descriptor) -> list[Image]:
        pull = self.pull
        self.fetcher.stop.check()
        store = Store(pull.name or pull.reference, pull.labels, pull.extra_names)
        return names.put(self.view.images, names.given(store, target))
