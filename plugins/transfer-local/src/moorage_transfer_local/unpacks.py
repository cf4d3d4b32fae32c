"""Unpacks: stacks of layers into a snapshotter, while later layers are still on their way.

In order: each layer is prepared on the one below, filled and committed before the next. All downloads run meanwhile,
and a layer whose turn has come when its first byte arrives goes straight to the unpacker. In parallel, where the
snapshotter can set a parent at commit: all layers are filled at once and committed from the lowest up.

Whatever goes wrong, the snapshot that was being filled is removed: only a layer whose diff id was checked is committed.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

from moorage_sdk import errors, labels
from moorage_sdk.content import ContentStore, Info
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.differs import Application, Differ, StreamApplier
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Snapshotter
from moorage_transfer_local.feeds import Feed
from moorage_transfer_local.flights import Flights, Places
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.stacks import Layer, Stack, as_upper, extraction_key
from moorage_transfer_local.stops import Stop

PREPARE_ATTEMPTS = 3

_log = logging.getLogger(__name__)


class Blobs(Protocol):
    """Where layers come from: a registry, or the store that has them already."""

    @property
    def scope(self) -> str: ...

    @property
    def tracker(self) -> Tracker: ...

    @property
    def flights(self) -> Flights: ...

    @property
    def stop(self) -> Stop: ...

    def blob(self, descriptor: Descriptor, feed: Feed | None = None) -> None:
        """See that the blob is in the store; ``feed`` may get it meanwhile."""


@dataclass
class Target:
    """A snapshot being filled."""

    key: str
    mounts: tuple[Mount, ...]


class _Placed(Application):
    """An unpacker that occupies a place until it is closed: many small layers must not become many processes."""

    def __init__(self, application: Application, places: Places) -> None:
        self._application = application
        self._places: Places | None = places

    def write(self, data: bytes | memoryview) -> None:
        self._application.write(data)

    def finish(self) -> Descriptor:
        return self._application.finish()

    def close(self) -> None:
        self._application.close()
        if self._places is not None:
            self._places.give_back()
            self._places = None


@dataclass
class Unpacker:
    """Unpacks for one pull into one snapshotter; ``differs`` in the order to try them.

    ``downloads`` runs the fetches, ``unpacking`` limits what is unpacked at once; None means layer by layer.
    """

    snapshotter: Snapshotter
    differs: Sequence[Differ]
    content: ContentStore
    fetcher: Blobs
    downloads: Executor
    unpacking: Places | None = None

    def run(self, stack: Stack) -> None:
        """Fetch and unpack what of the stack is not there. Raises as Fetcher.blob, Differ.apply and Snapshotter do."""
        if self.unpacking is None:
            self._in_order(stack)
        else:
            self._in_parallel(stack, self.unpacking)
        if stack.reference_label:
            self._label(stack.config, stack.reference_label)

    def _in_order(self, stack: Stack) -> None:
        feeds = [Feed() for _ in stack.layers]
        fetches: list[Future[None]] = []
        for n, layer in enumerate(stack.layers):
            with self._alone(stack, layer):
                target = self._prepare(layer, layer.parent)
                if target is None:
                    continue
                with self._removed_on_failure(target), contextlib.closing(feeds[n]):
                    self._bind(feeds[n], layer, target)
                    if not fetches:
                        # Layers below are there; whatever comes above will be needed, so its download can begin, too.
                        above = zip(stack.layers[n:], feeds[n:], strict=True)
                        fetches = [self._fetch(*pair) for pair in above]
                    fetches[n - len(stack.layers)].result()
                    self._fill(layer, feeds[n], target)
                    self._commit(layer, target, "")

    def _in_parallel(self, stack: Stack, unpacking: Places) -> None:
        """Everything is entered so that on failure it is left in this order: stop, unpackers end, snapshots go."""
        with ExitStack() as held:
            work: list[tuple[Layer, Feed, Target]] = []
            for layer in stack.layers:
                held.enter_context(self._alone(stack, layer))
                target = self._prepare(layer, "")
                if target is not None:
                    held.enter_context(self._removed_on_failure(target))
                    target.mounts = as_upper(target.mounts) if layer.parent else target.mounts
                    work.append((layer, held.enter_context(contextlib.closing(Feed())), target))
            # A thread for each: one that streams holds a place, which it must be able to give back while others wait.
            threads = max(1, len(work))
            filling = held.enter_context(ThreadPoolExecutor(threads, thread_name_prefix="moorage-unpack"))
            held.enter_context(self._stopped_on_failure())
            fills = [filling.submit(self._fetch_and_fill, *item, self._start(*item), unpacking) for item in work]
            for (layer, _, target), fill in zip(work, fills, strict=True):
                fill.result()
                self._commit(layer, target, layer.parent)

    def _start(self, layer: Layer, feed: Feed, target: Target) -> Future[None]:
        self._bind(feed, layer, target)
        return self._fetch(layer, feed)

    def _fetch_and_fill(self, layer: Layer, feed: Feed, target: Target, fetch: Future[None], unpacking: Places) -> None:
        fetch.result()
        if feed.streaming:
            self._fill(layer, feed, target)  # has its place since its first byte
        else:
            with unpacking.take(self.fetcher.stop):
                self._fill(layer, feed, target)

    @contextmanager
    def _stopped_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.fetcher.stop.stop()
            raise

    def _alone(self, stack: Stack, layer: Layer) -> contextlib.AbstractContextManager[None]:
        key = (self.fetcher.scope, stack.snapshotter, layer.chain_id)
        return self.fetcher.flights.hold(key, self.fetcher.stop)

    def _prepare(self, layer: Layer, parent: str) -> Target | None:
        """A snapshot to fill, or None when the layer's is there, which is then added to the lease."""
        for _ in range(PREPARE_ATTEMPTS):
            key = extraction_key(layer.chain_id)
            try:
                return Target(key, self.snapshotter.prepare(key, parent, layer.labels))
            except errors.AlreadyExists:
                if self._is_there(layer.chain_id):
                    return None
        raise errors.Unavailable(f'snapshot "{layer.chain_id}": cannot be prepared and is not there')

    def _is_there(self, name: str) -> bool:
        try:
            self.snapshotter.stat(name)
        except errors.NotFound:
            return False
        return True

    @contextmanager
    def _removed_on_failure(self, target: Target) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._remove(target)
            raise

    def _remove(self, target: Target) -> None:
        # An error here would hide the one that matters; what stays behind is not leased for long and then collected.
        try:
            self.snapshotter.remove(target.key)
        except errors.NotFound:
            return
        except errors.Error as error:
            _log.warning('snapshot "%s": cannot be removed: %s', target.key, error)

    def _bind(self, feed: Feed, layer: Layer, target: Target) -> None:
        differ = self.differs[0]
        if isinstance(differ, StreamApplier):
            feed.bind(lambda: self._open(differ, layer, target))

    def _open(self, differ: StreamApplier, layer: Layer, target: Target) -> Application | None:
        if self.unpacking is None:
            return differ.open(layer.descriptor.media_type, target.mounts)
        if not self.unpacking.try_take():
            return None
        try:
            return _Placed(differ.open(layer.descriptor.media_type, target.mounts), self.unpacking)
        except BaseException:
            self.unpacking.give_back()
            raise

    def _fetch(self, layer: Layer, feed: Feed) -> Future[None]:
        return self.downloads.submit(self.fetcher.blob, layer.descriptor, feed)

    def _fill(self, layer: Layer, feed: Feed, target: Target) -> None:
        descriptor = layer.descriptor
        self.fetcher.tracker.extracting(descriptor, 0)
        result = feed.finish()
        if result is None:
            if feed.touched:
                self._empty(layer, target)
            result = self._apply(descriptor, target)
        if result.digest != layer.diff_id:
            raise errors.DataLoss(
                f'layer "{descriptor.digest}": unpacked to diff id "{result.digest}", '
                f'the image says "{layer.diff_id}": data loss'
            )
        self.fetcher.tracker.extracted(descriptor)

    def _empty(self, layer: Layer, target: Target) -> None:
        """Replace a snapshot that holds what came before the registry turned out to be wrong."""
        self._remove(target)
        target.key = extraction_key(layer.chain_id)
        parent = layer.parent if self.unpacking is None else ""
        mounts = self.snapshotter.prepare(target.key, parent, layer.labels)
        target.mounts = as_upper(mounts) if self.unpacking is not None and layer.parent else mounts

    def _apply(self, descriptor: Descriptor, target: Target) -> Descriptor:
        refusals = []
        for differ in self.differs:
            try:
                return differ.apply(descriptor, target.mounts, self.content)
            except errors.Unimplemented as error:
                refusals.append(str(error))
        raise errors.Unimplemented(f'layer "{descriptor.digest}": no differ can unpack it: {"; ".join(refusals)}')

    def _commit(self, layer: Layer, target: Target, parent: str) -> None:
        try:
            self.snapshotter.commit(layer.chain_id, target.key, layer.labels, parent)
        except errors.AlreadyExists:
            # Someone else unpacked it by other ways, such as a client; both are the same.
            self._remove(target)
        self._label(layer.descriptor, {labels.UNCOMPRESSED: layer.diff_id})

    def _label(self, descriptor: Descriptor, wanted: dict[str, str]) -> None:
        self.content.update(Info(descriptor.digest, labels=wanted), [f"labels.{key}" for key in wanted])
