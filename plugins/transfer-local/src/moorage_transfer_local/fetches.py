"""Fetches: one blob from the registry into the content store, resumed where it broke off, and checked.

The order is always the same: have the digest alone (``flights``), open the ingest, which finds a blob that is there
already and adds it to the lease, take one of the daemon's places for downloads, receive, commit. The ingest's
reference is the one that clients use, so that one's beginning is the other's resumption.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from moorage_sdk import errors
from moorage_sdk.content import ContentStore, Info, Writer
from moorage_sdk.descriptors import INDEXES, MANIFESTS, Descriptor
from moorage_transfer_local.failures import Failed
from moorage_transfer_local.feeds import Feed
from moorage_transfer_local.flights import Flights, Places
from moorage_transfer_local.manifests import ingest_reference
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.registries import Repository
from moorage_transfer_local.retries import Policy
from moorage_transfer_local.sources import source_labels
from moorage_transfer_local.stops import Stop
from moorage_transfer_local.transports import Response

RESTARTS = 2
"""How often a blob may turn out to have another digest before the registry is believed to be wrong."""

SUBSTANTIAL = 1 << 20
"""Bytes that make an attempt count as progress: a layer of gigabytes may break off more often than five times."""

LOCK_WAIT = 0.5
"""Seconds between attempts at an ingest that another client writes."""

_log = logging.getLogger(__name__)

Labels = Callable[[bytes], Mapping[str, str]]


class _Wrong(errors.DataLoss):
    """The registry sent other bytes than it was asked for."""


@dataclass
class Fetcher:
    """Fetches for one pull. ``scope`` keeps the flights of namespaces apart."""

    repository: Repository
    content: ContentStore
    scope: str
    tracker: Tracker
    flights: Flights
    places: Places
    policy: Policy
    stop: Stop

    def document(self, descriptor: Descriptor, limit: int, labels_of: Labels = lambda data: {}) -> bytes:
        """Fetch a manifest or configuration and return it; ``labels_of`` its bytes are set on the blob.

        Raises errors.ResourceExhausted when it is larger than ``limit``, and as ``blob``.
        """
        if descriptor.size > limit:
            raise errors.ResourceExhausted(
                f'blob "{descriptor.digest}": {descriptor.size} bytes, larger than the limit of {limit}'
            )
        self.blob(descriptor)
        with self.content.reader(descriptor.digest) as reader:
            data = reader.read_at(0, descriptor.size) if descriptor.size else b""
        if wanted := labels_of(data):
            self._label(descriptor, wanted)
        return data

    def blob(self, descriptor: Descriptor, feed: Feed | None = None) -> None:
        """Make sure that the blob is in the store; ``feed`` gets it meanwhile, if it comes whole.

        Raises errors.NotFound, errors.Unavailable, errors.DataLoss, errors.ResourceExhausted, errors.Cancelled.
        """
        feed = feed or Feed()
        with self.flights.hold((self.scope, descriptor.digest), self.stop):
            for restart in range(RESTARTS):
                try:
                    if self._download(descriptor, feed, restart):
                        self.tracker.complete(descriptor)
                    return
                except _Wrong as error:
                    _log.warning("%s", error)
                    self._forget(descriptor, feed)
                    if restart == RESTARTS - 1:
                        raise
                except BaseException:
                    feed.close()
                    raise

    def _download(self, descriptor: Descriptor, feed: Feed, restart: int) -> bool:
        """Whether anything had to be downloaded."""
        try:
            writer = self._writer(descriptor)
        except errors.AlreadyExists:
            feed.skip()
            self.tracker.exists(descriptor)
            self._label(descriptor, {})
            return False
        with writer, self.places.take(self.stop):
            if writer.status().offset or restart:
                feed.skip()
            else:
                feed.begin()
            self._attempts(descriptor, writer, feed, restart)
        return True

    def _forget(self, descriptor: Descriptor, feed: Feed) -> None:
        """What is wrong to the last byte must not be resumed, neither now nor by the next pull."""
        feed.spoil()
        with contextlib.suppress(errors.NotFound, errors.Unavailable):
            self.content.abort(ingest_reference(descriptor))

    def _writer(self, descriptor: Descriptor) -> Writer:
        reference = ingest_reference(descriptor)
        while True:
            self.stop.check()
            try:
                return self.content.writer(reference, size=descriptor.size, expected=descriptor.digest)
            except errors.Unavailable as error:
                _log.debug("%s, waiting", error)
                self.stop.wait(LOCK_WAIT * (0.5 + self.policy.jitter()))
            except errors.FailedPrecondition:
                # Begun by someone who was told another size; only one of the two can be right, and ours has a manifest.
                with contextlib.suppress(errors.NotFound, errors.Unavailable):
                    self.content.abort(reference)

    def _attempts(self, descriptor: Descriptor, writer: Writer, feed: Feed, turn: int) -> None:
        failures = 0
        while True:
            before = writer.status().offset
            try:
                if before > descriptor.size:
                    raise _wrong(descriptor, f"{before} bytes were received")
                if before < descriptor.size:
                    self._receive(descriptor, writer, feed, turn + failures)
                self._commit(descriptor, writer)
                return
            except Failed as error:
                self.stop.check()
                progress = writer.status().offset - before
                failures = 1 if progress >= SUBSTANTIAL else failures + 1
                if failures >= self.policy.attempts:
                    raise
                _log.info("%s, resuming at %d of %d", error, before + progress, descriptor.size)
                self.stop.wait(self.policy.delay(failures))

    def _receive(self, descriptor: Descriptor, writer: Writer, feed: Feed, turn: int) -> None:
        offset = writer.status().offset
        manifest = descriptor.media_type in MANIFESTS | INDEXES
        with self.repository.open(descriptor, manifest, offset, turn) as response:
            skip = _skip(response, descriptor, offset)
            for chunk in response.chunks():
                self.stop.check()
                data = chunk[skip:] if skip else chunk
                skip -= min(skip, len(chunk))
                if offset + len(data) > descriptor.size:
                    raise _wrong(descriptor, f"more than {descriptor.size} bytes came")
                writer.write(data)
                offset += len(data)
                feed.write(data)
                self.tracker.downloaded(descriptor, offset)
        if offset < descriptor.size:
            raise Failed(f'blob "{descriptor.digest}": {offset} of {descriptor.size} bytes came')

    def _commit(self, descriptor: Descriptor, writer: Writer) -> None:
        try:
            writer.commit(descriptor.size, descriptor.digest, self._source({}))
        except errors.AlreadyExists:
            self._label(descriptor, {})
        except errors.FailedPrecondition as error:
            raise _wrong(descriptor, "the digest differs") from error

    def _label(self, descriptor: Descriptor, wanted: Mapping[str, str]) -> None:
        current = self.content.info(descriptor.digest).labels
        fresh = {**wanted, **self._source(current)}
        changed = {key: value for key, value in fresh.items() if current.get(key) != value}
        if changed:
            info = Info(descriptor.digest, labels=changed)
            self.content.update(info, [f"labels.{key}" for key in changed])

    def _source(self, current: Mapping[str, str]) -> dict[str, str]:
        return source_labels(self.repository.reference, current)


def _skip(response: Response, descriptor: Descriptor, offset: int) -> int:
    """How many bytes to throw away: a server may ignore the range and begin anew, but may not begin elsewhere."""
    start = offset
    if response.status == 206:
        unit, _, extent = response.headers.get("Content-Range", "").partition(" ")
        if unit != "bytes" or extent.partition("-")[0] != str(offset):
            raise Failed(f'blob "{descriptor.digest}": another range came than asked for, "{extent[:60]}"')
    else:
        start = 0
    if response.length is not None and response.length != descriptor.size - start:
        raise _wrong(descriptor, f"{response.length} bytes are announced of {descriptor.size - start}")
    return offset - start


def _wrong(descriptor: Descriptor, why: str) -> _Wrong:
    return _Wrong(f'blob "{descriptor.digest}": registry sent other bytes than described, {why}: data loss')
