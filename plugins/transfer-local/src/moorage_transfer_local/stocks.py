"""Stocks: blobs that are in the store already, for what has nowhere to fetch them from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moorage_sdk import errors
from moorage_sdk.content import ContentStore, Info
from moorage_sdk.descriptors import Descriptor
from moorage_transfer_local.feeds import Feed
from moorage_transfer_local.flights import Flights
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.stops import Stop


@dataclass
class Stock:
    """Stands where a ``Fetcher`` would, for one import or export."""

    content: ContentStore
    scope: str
    tracker: Tracker
    flights: Flights
    stop: Stop

    def blob(self, descriptor: Descriptor, feed: Feed | None = None) -> None:
        """Raises errors.NotFound for a blob that is not there."""
        self.stop.check()
        if feed is not None:
            feed.skip()
        self.content.info(descriptor.digest)

    def label(self, digest: str, wanted: Mapping[str, str]) -> None:
        """Set labels of a blob beside those that it has."""
        if wanted:
            self.content.update(Info(digest, labels=wanted), [f"labels.{key}" for key in wanted])

    def document(self, descriptor: Descriptor, limit: int) -> bytes:
        """A manifest or configuration. Raises errors.NotFound, errors.ResourceExhausted past ``limit`` bytes."""
        self.stop.check()
        return read(self.content, descriptor.digest, limit)


def read(content: ContentStore, digest: str, limit: int) -> bytes:
    """A whole blob. Raises errors.NotFound, errors.ResourceExhausted past ``limit`` bytes."""
    with content.reader(digest) as reader:
        if reader.size > limit:
            raise errors.ResourceExhausted(f'blob "{digest}": {reader.size} bytes, larger than the limit of {limit}')
        return reader.read_at(0, reader.size) if reader.size else b""
