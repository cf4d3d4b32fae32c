"""Progress: what who watches a transfer is told, in the words of containerd's ``core/transfer/local/progress.go``.

Lines about one blob carry the name of its ingest and the names of what lists it, from which clients draw a tree.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from moorage_sdk.descriptors import Descriptor
from moorage_sdk.transfers import Progress, Report
from moorage_transfer_local.manifests import ingest_reference

INTERVAL = 0.3
"""Seconds between two lines about the advance of one blob."""


class Tracker:
    """Turns what the threads of a pull or push do into lines. ``root`` is the image's name."""

    def __init__(self, root: str, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._report = report
        self._clock = clock
        self._parents: dict[str, tuple[str, ...]] = {}
        self._wanted: set[str] = set()
        self._sent: dict[str, int] = {}
        self._last: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def say(self, event: str, descriptor: Descriptor | None = None) -> None:
        """A line about the transfer as a whole."""
        self._report(Progress(event, descriptor=descriptor))

    def image(self, event: str, descriptor: Descriptor) -> None:
        """A line about the image."""
        self._report(Progress(event, self._root, descriptor=descriptor))

    def saved(self, name: str, descriptor: Descriptor) -> None:
        """The image has a name in the store."""
        self._report(Progress("saved", name, descriptor=descriptor))

    def wanted(self, descriptor: Descriptor) -> None:
        """A blob that will be transferred. What lists it has to be known, so ``children`` comes first."""
        with self._lock:
            known = descriptor.digest in self._wanted
            self._wanted.add(descriptor.digest)
        if not known:
            self._line("waiting", descriptor, 0)

    def children(self, parent: Descriptor, children: Sequence[Descriptor]) -> None:
        """What ``parent`` lists, be it wanted or not: an image has many platforms, and few want more than one."""
        above = ingest_reference(parent)
        with self._lock:
            for child in children:
                known = self._parents.get(child.digest, ())
                self._parents[child.digest] = known if above in known else (*known, above)

    def exists(self, descriptor: Descriptor) -> None:
        """The place in the tree was said before, and containerd does not say it again here."""
        name, size = ingest_reference(descriptor), descriptor.size
        self._report(Progress("already exists", name, (), size, size, descriptor))

    def downloaded(self, descriptor: Descriptor, offset: int) -> None:
        """``offset`` bytes have arrived; said only now and then."""
        self._often("downloading", descriptor, offset)

    def uploaded(self, descriptor: Descriptor, offset: int) -> None:
        """``offset`` bytes were sent; said only now and then, and not again when an upload begins anew."""
        if offset > self._sent.get(descriptor.digest, 0):
            self._sent[descriptor.digest] = offset
            self._often("uploading", descriptor, offset)

    def complete(self, descriptor: Descriptor) -> None:
        self._line("complete", descriptor, descriptor.size)

    def extracting(self, descriptor: Descriptor, offset: int) -> None:
        """``offset`` bytes were given to the unpacker; said only now and then."""
        self._often("extracting", descriptor, offset)

    def extracted(self, descriptor: Descriptor) -> None:
        self._line("extracted", descriptor, descriptor.size)

    def _often(self, event: str, descriptor: Descriptor, offset: int) -> None:
        now = self._clock()
        with self._lock:
            if now - self._last.get((event, descriptor.digest), float("-inf")) < INTERVAL:
                return
            self._last[event, descriptor.digest] = now
        self._line(event, descriptor, offset)

    def _line(self, event: str, descriptor: Descriptor, offset: int) -> None:
        parents = self._parents.get(descriptor.digest, (self._root,))
        name = ingest_reference(descriptor)
        self._report(Progress(event, name, parents, offset, descriptor.size, descriptor))
