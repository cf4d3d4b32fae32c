"""Faults that were found while the whole was put together, each by its name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from moorage_client.clients import connect
from moorage_sdk import digests
from moorage_testkit.daemons import Daemon

DATA = bytes(range(256)) * 20
KEPT = {"containerd.io/gc.root": "yes"}


async def _store_and_read(address: str, namespace: str) -> list[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        yield DATA

    async with connect(address, namespace) as client:
        digest = await client.contents.write("one", pieces(), size=len(DATA), expected=digests.of(DATA), labels=KEPT)
        ranges = [(0, 0), (0, 256), (300, 7), (len(DATA) - 3, 100)]
        return [b"".join([piece async for piece in client.contents.read(digest, *span)]) for span in ranges]


def test_content_that_is_read_has_its_bytes(daemon: Daemon, namespace: str) -> None:
    """Read answered with messages of the right offsets and no data, which ctr called an "unexpected EOF"."""
    whole, first, middle, last = asyncio.run(_store_and_read(daemon.address, namespace))
    assert whole == DATA
    assert first == DATA[:256]
    assert middle == DATA[300:307]
    assert last == DATA[-3:]
