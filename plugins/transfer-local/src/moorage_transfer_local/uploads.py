"""Uploads: one blob or manifest from the content store to a registry, resumed where it broke off.

A blob goes in one request. When that breaks off, the registry is asked how much it has, and gets the rest; one that
cannot tell gets all of it again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from moorage_sdk import errors
from moorage_sdk.content import ContentStore, Reader
from moorage_sdk.descriptors import Descriptor, is_distributable
from moorage_transfer_local.destinations import Destination, Interrupted, Session
from moorage_transfer_local.failures import Failed
from moorage_transfer_local.flights import Places
from moorage_transfer_local.inventories import Blob, check_size, read
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.retries import Policy
from moorage_transfer_local.sources import candidate
from moorage_transfer_local.stops import Stop
from moorage_transfer_local.transports import Body

PIECE = 1 << 18
"""Bytes handed to the connection at once. The time without progress is counted for each."""

SUBSTANTIAL = 1 << 20
"""Bytes that make an attempt count as progress, as for downloads."""

_log = logging.getLogger(__name__)


@dataclass
class Uploader:
    """Uploads for one push. Methods are called from many threads."""

    destination: Destination
    content: ContentStore
    tracker: Tracker
    places: Places
    policy: Policy
    stop: Stop

    def blob(self, blob: Blob) -> None:
        """Make sure that the registry has a blob.

        Raises errors.NotFound when neither it nor the store has it, and as Transfer.push.
        """
        with self.places.take(self.stop):
            if self.destination.has(blob.descriptor):
                self.tracker.exists(blob.descriptor)
                return
            try:
                reader = self.content.reader(blob.descriptor.digest)
            except errors.NotFound:
                if is_distributable(blob.descriptor.media_type):
                    raise
                _log.info('blob "%s": not pushed, may not be distributed', blob.descriptor.digest)
                return
            with reader:
                check_size(reader.size, blob.descriptor)
                self._attempts(blob, reader)

    def document(self, descriptor: Descriptor, tag: str) -> None:
        """Make sure that the registry has a manifest or index, under ``tag`` unless that is empty."""
        with self.places.take(self.stop):
            if self.destination.has(descriptor, tag):
                self.tracker.exists(descriptor)
                return
            self.destination.put(descriptor, tag, read(self.content, descriptor))
            self.tracker.complete(descriptor)

    def _attempts(self, blob: Blob, reader: Reader) -> None:
        descriptor = blob.descriptor
        source = candidate(self.destination.reference, blob.seen)
        session: Session | None = None
        failures, reached = 0, 0
        while True:
            session = session or self.destination.begin(descriptor, source)
            if session is None:
                self.tracker.exists(descriptor)
                return
            try:
                self._send(session, descriptor, reader)
                self.tracker.complete(descriptor)
                return
            except (Failed, Interrupted) as error:
                self.stop.check()
                session = self._resumed(session, error, descriptor)
                offset = session.offset if session else 0
                failures = 1 if offset - reached >= SUBSTANTIAL else failures + 1
                reached = max(reached, offset)
                if failures >= self.policy.attempts:
                    raise error.cause if isinstance(error, Interrupted) else error from error
                _log.info("%s, going on at %d of %d", error, offset, descriptor.size)
                self.stop.wait(self.policy.delay(failures, getattr(error, "retry_after", "")))
            if session is None and self.destination.has(descriptor):
                # It was complete, and only the answer was lost.
                self.tracker.complete(descriptor)
                return

    def _resumed(self, session: Session, error: Exception, descriptor: Descriptor) -> Session | None:
        if getattr(error, "lost", False):
            return None
        resumed = self.destination.resume(session)
        return resumed if resumed is not None and resumed.offset <= descriptor.size else None

    def _send(self, session: Session, descriptor: Descriptor, reader: Reader) -> None:
        if session.offset == 0:
            self.destination.finish(session, descriptor, self._body(descriptor, reader, 0))
            return
        if session.offset < descriptor.size:
            session = self.destination.append(session, self._body(descriptor, reader, session.offset))
        self.destination.finish(session, descriptor, Body.of(b""))

    def _body(self, descriptor: Descriptor, reader: Reader, offset: int) -> Body:
        return Body(descriptor.size - offset, lambda: self._pieces(descriptor, reader, offset))

    def _pieces(self, descriptor: Descriptor, reader: Reader, offset: int) -> Iterator[bytes]:
        while offset < descriptor.size:
            self.stop.check()
            data = reader.read_at(offset, PIECE)
            if not data:
                raise errors.DataLoss(f'blob "{descriptor.digest}": ends at {offset}: data loss')
            yield data
            offset += len(data)
            self.tracker.uploaded(descriptor, offset)
