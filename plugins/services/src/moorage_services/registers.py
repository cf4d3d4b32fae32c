"""The register of named streams: where services find those that clients opened.

Names belong to a namespace. A stream that was opened under a lease is collected with the lease (``ResourceStream`` in
plugins/streaming/manager.go of containerd v2.3); any other lives until one of its two sides ends it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence

from moorage_sdk import errors
from moorage_sdk.resources import Item, Resources
from moorage_services.streams import Stream


class Streams(Resources):
    """All named streams of the daemon."""

    def __init__(self) -> None:
        self._streams: dict[Item, Stream] = {}
        self._items: dict[tuple[str, str], Item] = {}
        self._tokens = itertools.count(1)
        self._guard = threading.Lock()

    def register(self, namespace: str, name: str, stream: Stream) -> Item:
        """The entry, to be forgotten with ``forget``.

        Raises errors.AlreadyExists for the name, errors.InvalidArgument without one.
        """
        if not name:
            raise errors.InvalidArgument("stream id must not be empty: invalid argument")
        with self._guard:
            if (namespace, name) in self._items:
                raise errors.AlreadyExists(f'stream "{name}" in namespace "{namespace}": already exists')
            item = Item(namespace, name, str(next(self._tokens)), stream.lease)
            self._items[namespace, name] = item
            self._streams[item] = stream
        return item

    def get(self, namespace: str, name: str) -> Stream:
        """Raises errors.NotFound."""
        with self._guard:
            try:
                return self._streams[self._items[namespace, name]]
            except KeyError:
                raise errors.NotFound(f'stream "{name}" in namespace "{namespace}": not found') from None

    def forget(self, item: Item) -> None:
        """The stream has ended. An entry that is gone does nothing."""
        self.condemn([item])
        with self._guard:
            self._streams.pop(item, None)

    @property
    def kind(self) -> str:
        return "stream"

    def all(self) -> Sequence[Item]:
        with self._guard:
            return [item for item in self._items.values() if item.lease]

    def condemn(self, items: Sequence[Item]) -> None:
        with self._guard:
            for item in items:
                if self._items.get((item.namespace, item.name)) == item:
                    del self._items[item.namespace, item.name]

    def remove(self, item: Item) -> None:
        with self._guard:
            stream = self._streams.get(item)
        if stream is None:
            raise errors.NotFound(f'stream "{item.name}" in namespace "{item.namespace}": not found')
        stream.close()

    def cleanup(self) -> None:
        """Closing a stream cannot fail."""
