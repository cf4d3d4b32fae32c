"""Pulls: from a reference to a named image.

A pull is one thread that walks from the reference down to layers, some that download, and the caller's, which only
watches: it sees when the client has gone and when a server has fallen silent, and ends everything then.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from moorage_sdk import errors, labels
from moorage_sdk.descriptors import CONFIGS, INDEXES, MANIFESTS, Descriptor
from moorage_sdk.differs import Differ
from moorage_sdk.images import Image
from moorage_sdk.metadata import View
from moorage_sdk.platforms import preference
from moorage_sdk.transfers import Credentials, Pull, Report, Transfer, Unpack
from moorage_transfer_local import hosts, references, registries
from moorage_transfer_local.fetches import Fetcher
from moorage_transfer_local.flights import Flights, Places
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
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.registries import MAX_MANIFEST, Repository
from moorage_transfer_local.stacks import Stack, plan
from moorage_transfer_local.stops import SLICE, Stop
from moorage_transfer_local.unpacks import Unpacker

MAX_DEPTH = 8
"""Indexes within indexes that are followed."""

LEASE_HOURS = 24
"""How long what a pull made is kept when the daemon dies in its middle (as in containerd)."""

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
    snapshotter: str = "overlayfs"
    differs: Callable[[str], Sequence[Differ]] = lambda snapshotter: ()
    rebases: Callable[[str], bool] = lambda snapshotter: False
    token_realms: Callable[[str], Sequence[str]] = lambda host: ()
    settings: registries.Settings = field(default_factory=registries.Settings)


class LocalTransfer(Transfer):
    """Fills the slot. ``view`` gives a namespace under a lease."""

    def __init__(self, view: Callable[[str, str], View], options: Options) -> None:
        self._view = view
        self._options = options
        self._flights = Flights()
        self._places = Places(options.downloads)
        self._unpacking = Places(options.unpacks) if options.unpacks > 1 else None

    def pull(self, view: View, pull: Pull, report: Report) -> Image:
        reference = references.parse(pull.reference)
        stop = Stop(pull.cancelled)
        tracker = Tracker(pull.name or pull.reference, report)
        with self._leased(view) as leased, ExitStack() as opened:
            repository = self._repository(reference, pull, stop)
            opened.callback(repository.close)
            fetcher = Fetcher(
                repository,
                leased.content,
                leased.namespace,
                tracker,
                self._flights,
                self._places,
                self._options.settings.policy,
                stop,
            )
            with self._downloads() as downloads:
                session = _Session(pull, leased, fetcher, downloads, self._options, self._unpacking)
                return _watched(session.run, stop, repository)

    @contextmanager
    def _leased(self, view: View) -> Iterator[View]:
        """The view under a lease: the client's, or one of our own that ends with the pull."""
        if view.lease:
            yield view
            return
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=LEASE_HOURS)
        lease = view.leases.create(labels={labels.GC_EXPIRE: until.strftime("%Y-%m-%dT%H:%M:%SZ")})
        try:
            yield self._view(view.namespace, lease.id)
        finally:
            with contextlib.suppress(errors.NotFound):
                view.leases.delete(lease.id)

    @contextmanager
    def _downloads(self) -> Iterator[ThreadPoolExecutor]:
        # One worker more than places: who waits for another pull's download of the same blob occupies no place.
        pool = ThreadPoolExecutor(self._options.downloads + 1, thread_name_prefix="moorage-download")
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _repository(self, reference: references.Reference, pull: Pull, stop: Stop) -> Repository:
        asked = pull.registry
        endpoints = hosts.endpoints(
            reference.host, asked.config_path or self._options.config_path, asked.default_scheme
        )
        settings = registries.Settings(
            self._options.settings.timeouts,
            self._options.settings.policy,
            self._options.token_realms(reference.host),
            asked.headers,
            self._options.settings.agent,
        )

        def ask(host: str, realm: str) -> Credentials | None:
            return asked.authority(host, pull.reference, realm) if asked.authority is not None else None

        return Repository(reference, endpoints, ask, settings, stop)


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
class _Session:
    """One pull, from the reference down. Runs on a thread of its own."""

    pull: Pull
    view: View
    fetcher: Fetcher
    downloads: ThreadPoolExecutor
    options: Options
    unpacking: Places | None

    def run(self) -> Image:
        tracker, repository = self.fetcher.tracker, self.fetcher.repository
        tracker.say(f"Resolving from OCI Registry ({self.pull.reference})")
        target = repository.resolve()
        tracker.say(f"Pulling from OCI Registry ({self.pull.reference})")
        tracker.image("fetching image content", target)
        tracker.found(target)
        found = list(self._walk(Entry(target), 0, set()))
        if not any(item.wanted for item in found):
            wanted = ", ".join(str(platform) for platform in self.pull.platforms) or "any platform"
            raise errors.NotFound(f'image "{self.pull.reference}": no match for platform {wanted}: not found')
        self._layers([item for item in found if item.wanted])
        image = self._name(target)
        tracker.image("saved", target)
        tracker.say(f"Completed pull from OCI Registry ({self.pull.reference})")
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
        if manifest.config.media_type not in CONFIGS:
            self.fetcher.blob(manifest.config)
            return None
        return self.fetcher.document(manifest.config, MAX_CONFIG)

    def _layers(self, found: Sequence[_Found]) -> None:
        """Fetch all layers; those of images that are to be unpacked come through the unpacker."""
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
                result.append((item, unpack.snapshotter or self.options.snapshotter))
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


def _watched(run: Callable[[], Image], stop: Stop, repository: Repository) -> Image:
    """Run a pull on a thread and end it when it is cancelled."""
    with ThreadPoolExecutor(1, thread_name_prefix="moorage-pull") as pool:
        future: Future[Image] = pool.submit(run)
        try:
            while not wait([future], SLICE, FIRST_COMPLETED).done:
                repository.expire()
                if stop.stopped:
                    stop.stop()
            return future.result()
        finally:
            stop.stop()
