"""What a daemon says of itself, asked of a real one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from moorage_client.clients import Client, connect
from moorage_sdk import digests
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.images import Image
from moorage_testkit import claims, daemons
from moorage_testkit.claims import Claims
from moorage_testkit.daemons import Daemon

NAMESPACE = f"claims-{os.getpid()}"
ROOT = {"containerd.io/gc.root": "yes"}


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    if os.geteuid():
        pytest.skip("needs root for a daemon")
    with daemons.directory() as base, Daemon(daemons.moorage(), base, namespaces=[NAMESPACE]) as daemon:
        yield daemon


def ask(daemon: Daemon) -> Claims:
    return asyncio.run(claims.ask(daemon.address, daemon.root))


async def store(client: Client, data: bytes, labels: dict[str, str]) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield data

    return await client.contents.write("ref", pieces(), size=len(data), expected=digests.of(data), labels=labels)


def test_blobs_ingests_and_the_pid(daemon: Daemon) -> None:
    async def fill() -> None:
        async with connect(daemon.address, NAMESPACE) as client:
            await store(client, b"123", ROOT)
            async with client.contents.writer("open") as writer:
                await writer.write(b"1")

    asyncio.run(fill())
    said = ask(daemon)
    assert said.blobs == {digests.of(b"123"): 3}
    assert said.refs == {f"{NAMESPACE}/open"}
    assert said.pid == daemon.pid
    assert said.tasks == [] and said.broken == []


async def stack(client: Client, snapshotter: str) -> list[str]:
    """Two committed snapshots, one upon the other, and an active one and a view upon them; all names."""
    snapshots = client.snapshots(snapshotter)
    await snapshots.prepare("one-active", labels=ROOT)
    await snapshots.commit("one", "one-active", ROOT)
    await snapshots.prepare("two-active", "one", ROOT)
    await snapshots.commit("two", "two-active", ROOT)
    await snapshots.prepare("web", "two", ROOT)
    await snapshots.view("look", "one", ROOT)
    return [info.name async for info in snapshots.walk()]


@pytest.mark.parametrize(
    "snapshotter, shown, hidden", [("overlayfs", {"1", "2", "3"}, 1), ("native", {"1", "2", "3"}, 0)]
)
def test_directories_of_snapshots(daemon: Daemon, snapshotter: str, shown: set[str], hidden: int) -> None:
    """Parents show through a view of them, which is gone again; what no mount shows is counted."""

    async def fill() -> list[str]:
        async with connect(daemon.address, NAMESPACE) as client:
            return await stack(client, snapshotter)

    async def names() -> list[str]:
        async with connect(daemon.address, NAMESPACE) as client:
            return [info.name async for info in client.snapshots(snapshotter).walk()]

    before = asyncio.run(fill())
    said = ask(daemon)
    assert said.layers[snapshotter] == shown
    assert said.hidden[snapshotter] == hidden
    assert asyncio.run(names()) == before


def test_what_images_lack(daemon: Daemon) -> None:
    """A manifest without its layer is half a pull as long as no image names it, and a broken image then."""
    missing = digests.of(b"missing")

    async def fill(*images: tuple[str, str]) -> None:
        async with connect(daemon.address, NAMESPACE) as client:
            for name, target in images:
                await client.images.create(Image(name, Descriptor(OCI_MANIFEST, target, 7)))

    async def half() -> str:
        async with connect(daemon.address, NAMESPACE) as client:
            return await store(client, b"manifest", {**ROOT, "containerd.io/gc.ref.content.l.0": missing})

    manifest = asyncio.run(half())
    assert ask(daemon).broken == []
    asyncio.run(fill(("half", manifest), ("nothing", missing)))
    assert sorted(ask(daemon).broken) == [
        f'image "half" in "{NAMESPACE}": containerd.io/gc.ref.content.l.0 {missing}: not found',
        f'image "nothing" in "{NAMESPACE}": target {missing}: not found',
    ]


def test_collecting_takes_what_nobody_refers_to(daemon: Daemon) -> None:
    async def fill() -> None:
        async with connect(daemon.address, NAMESPACE) as client:
            await store(client, b"kept", ROOT)
            await store(client, b"garbage", {})

    asyncio.run(fill())
    asyncio.run(claims.collect(daemon.address))
    assert set(ask(daemon).blobs) == {digests.of(b"kept")}
    assert asyncio.run(claims.namespaces(daemon.address)) == {NAMESPACE}
