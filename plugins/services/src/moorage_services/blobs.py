"""Small blobs in memory: every client reads an image's index, manifest and configuration many times over.

A digest names its bytes for ever, so nothing here can be outdated; whether a caller may see a blob at all is asked of
the store each time.
"""

from __future__ import annotations

from collections import OrderedDict

SMALL = 64 << 10
"""Bytes of the largest blob that is kept; indexes, manifests and configurations are smaller."""

TOTAL = 1 << 20


class Blobs:
    """The bytes of blobs by digest, at most ``total`` of them. Those that were asked for last are kept."""

    def __init__(self, small: int = SMALL, total: int = TOTAL) -> None:
        self._small = small
        self._total = total
        self._held = 0
        self._blobs: OrderedDict[str, bytes] = OrderedDict()

    def get(self, digest: str) -> bytes | None:
        data = self._blobs.get(digest)
        if data is not None:
            self._blobs.move_to_end(digest)
        return data

    def keep(self, digest: str, data: bytes) -> None:
        """Keep a whole blob, unless it is large, and let go of those that nobody asked for the longest."""
        if len(data) > self._small or digest in self._blobs:
            return
        self._blobs[digest] = data
        self._held += len(data)
        while self._held > self._total:
            _, dropped = self._blobs.popitem(last=False)
            self._held -= len(dropped)
