"""Sessions: one pull, from the reference down to the layers and back up to the name."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property

from moorage_sdk import errors
from moorage_sdk.descriptors import CONFIGS, INDEXES, MANIFESTS, Descriptor
from moorage_sdk.differs import Differ
from moorage_sdk.images import Image
from moorage_sdk.metadata import View
from moorage_sdk.platforms import preference
from moorage_sdk.transfers import Pull, Unpack
from moorage_transfer_local.fetches import Fetcher
from moorage_transfer_local.flights import Places
from moorage_transfer_local.manifests import (
    MAX_CONFIG,
    Config,
    Entry,
    Index,
    Manifest,
    choose,
    parse,
    parse_config,
    reference_labels,
)
from moorage_transfer_local.registries import MAX_MANIFEST
from moorage_transfer_local.servers import Settings
from moorage_transfer_local.stacks import Stack, plan
from moorage_transfer_local.unpacks import Unpacker

MAX_DEPTH = 8
"""Indexes within indexes that are followed."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How the daemon pulls, whatever it pulls.

    ``unpacks`` is how many layers of an image are unpacked at once (1: one after the other), ``differs`` the differs
    for a snapshotter in the order to try them, ``rebases`` whether it can take a parent at commit.
    """

    downloads: int = 3
    unpacks: int = 1
    strict_platform: bool = False
    config_path: str = ""
    snapshotter: Callable[[], str] = lambda: "overlayfs"
    differs: Callable[[str], Sequence[Differ]] = lambda snapshotter: ()
    rebases: Callable[[str], bool] = lambda snapshotter: False
    token_realms: Callable[[str], Sequence[str]] = lambda host: ()
    settings: Settings = field(default_factory=Settings)


@dataclass
class _Found:
    """A manifest of the image; ``data`` is its configuration, None where it is of no kind that could be unpacked.

    The configuration is looked into only for unpacking: signatures and charts carry ones that are none.
    """

    descriptor: Descriptor
    manifest: Manifest
    data: bytes | None
    wanted: bool = True

    @cached_property
    def config(self) -> Config:
        """Raises errors.InvalidArgument."""
        return parse_config(self.data or b"", self.manifest.config)


@dataclass
class Session:
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
        image = self._name(target)
        # In this order because ctr draws only when a line with a name comes, and so would never show the first of them.
        tracker.say(f"Completed pull from OCI Registry ({self.pull.reference})")
        tracker.image("saved", target)
        return image

    def _walk(self, entry: Entry, depth: int, seen: set[str], wanted: bool = True) -> Iterator[_Found]:
        """Fetch manifests and configurations below ``entry``; of an index those that are wanted."""
        descriptor = entry.descriptor
        if descriptor.digest in seen:
            return
        seen.add(descriptor.digest)
        if depth > MAX_DEPTH:
            raise errors.InvalidArgument(f'index "{descriptor.digest}": more than {MAX_DEPTH} within each other')
        if descriptor.media_type not in INDEXES | MANIFESTS:
            yield from self._other(descriptor, depth)
            return
        self.fetcher.tracker.wanted(descriptor)
        document = self._document(descriptor)
        if isinstance(document, Manifest):
            yield _Found(descriptor, document, self._config(document), wanted)
            return
        chosen = choose(document.entries, self.pull.platforms)
        for child in chosen:
            yield from self._walk(child, depth + 1, seen, wanted)
        if self.pull.all_metadata:
            for child in document.entries:
                yield from self._walk(child, depth + 1, seen, wanted=False)

    def _other(self, descriptor: Descriptor, depth: int) -> Iterator[_Found]:
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

    def _layers(self, found: Sequence[_Found]) -> None:
        """Fetch all layers; those of images that are to be unpacked come through the unpacker."""
        for layer in (layer for item in found for layer in item.manifest.layers):
            self.fetcher.tracker.wanted(layer)
        stacks = [plan(item.manifest, item.config, name) for item, name in self._unpacks(found)]
        unpackers = [self._unpacker(stack) for stack in stacks]  # whatever is missing is told before layers come
        unpacked = {layer.descriptor.digest for stack in stacks for layer in stack.layers}
        plain = {blob.digest: blob for item in found for blob in item.manifest.layers if blob.digest not in unpacked}
        fetches = [self.downloads.submit(self.fetcher.blob, blob) for blob in plain.values()]
        for unpacker, stack in zip(unpackers, stacks, strict=True):
            unpacker.run(stack)
        for fetch in fetches:
            fetch.result()

    def _unpacks(self, found: Sequence[_Found]) -> list[tuple[_Found, str]]:
        """Which manifest goes into which snapshotter."""
        result = []
        for unpack in self.pull.unpacks:
            if (item := self._fitting(found, unpack)) is not None:
                result.append((item, unpack.snapshotter or self.options.snapshotter()))
            else:
                _log.warning('image "%s": nothing to unpack for %s', self.pull.reference, unpack.platform)
        return list({(item.descriptor.digest, name): (item, name) for item, name in result}.values())

    def _fitting(self, found: Sequence[_Found], unpack: Unpack) -> _Found | None:
        """The best manifest for a platform, else the only one if the operating system is right.

        containerd unpacks for any machine unless told to be strict, for images whose platform is plainly wrong exist.
        """
        images = [item for item in found if item.data is not None]
        ranks = [(preference(unpack.platform, item.config.platform), n) for n, item in enumerate(images)]
        if fitting := [(rank, n) for rank, n in ranks if rank is not None]:
            return images[min(fitting)[1]]
        if len(images) == 1 and not self.options.strict_platform:
            return images[0] if images[0].config.platform.os == unpack.platform.os.lower() else None
        return None

    def _unpacker(self, stack: Stack) -> Unpacker:
        differs = self.options.differs(stack.snapshotter)
        if not differs:
            raise errors.FailedPrecondition(f'snapshotter "{stack.snapshotter}": no differ works: failed precondition')
        return Unpacker(
            self.view.snapshotter(stack.snapshotter),
            differs,
            self.view.content,
            self.fetcher,
            self.downloads,
            self.unpacking if self.options.rebases(stack.snapshotter) else None,
        )

    def _name(self, target: Descriptor) -> Image:
        image = Image(self.pull.name or self.pull.reference, target, self.pull.labels)
        while True:
            self.fetcher.stop.check()
            try:
                return self.view.images.create(image)
            except errors.AlreadyExists:
                # Removed between the two calls: then it can be created.
                with contextlib.suppress(errors.NotFound):
                    return self.view.images.update(image)
