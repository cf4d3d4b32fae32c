"""Blobs for tests of content stores: bytes, ways in and out, and what must be told of them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from moorage_sdk import digests
from moorage_sdk.content import ContentStore, Writer


def make_bytes(size: int, seed: int = 0) -> bytes:
    """Bytes that differ everywhere, the same for the same arguments."""
    return random.Random(seed * 1_000_003 + size).randbytes(size)


def put(store: ContentStore, data: bytes, ref: str = "") -> str:
    """Bring a blob in as a client does; returns its digest."""
    digest = digests.of(data)
    with store.writer(ref or f"put-{digest}", size=len(data), expected=digest) as writer:
        writer.write(data)
        return writer.commit(len(data), digest)


def read(store: ContentStore, digest: str) -> bytes:
    with store.reader(digest) as reader:
        return reader.read_at(0, reader.size)


class Span:
    """When something was done, in nanoseconds since the epoch: ``in`` tells what happened meanwhile."""

    def __init__(self) -> None:
        self.start = time.time_ns()
        self.end = 0

    def __contains__(self, moment: int) -> bool:
        return self.start <= moment <= self.end


@contextmanager
def span() -> Iterator[Span]:
    measured = Span()
    yield measured
    measured.end = time.time_ns()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def check_status(writer: Writer, ref: str, data: bytes, total: int, started: Span, updated: Span) -> None:
    """A writer tells of ``data``, all that it has."""
    status = writer.status()
    assert (status.ref, status.offset, status.total) == (ref, len(data), total)
    assert status.started_at in started
    assert status.updated_at in updated
    assert writer.digest() == digests.of(data)


def check_blob(
    store: ContentStore, data: bytes, made: Span, updated: Span | None = None, labels: Mapping[str, str] | None = None
) -> None:
    info = store.info(digests.of(data))
    assert (info.digest, info.size, dict(info.labels)) == (digests.of(data), len(data), dict(labels or {}))
    assert info.created_at in made
    assert info.updated_at in (updated or made)
    assert read(store, info.digest) == data
