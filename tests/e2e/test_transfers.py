"""Pulls by the whole daemon: real registry, real store, real layers. How registries misbehave is in transfer-local."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_client.clients import connect
from moorage_sdk import errors, platforms
from moorage_sdk.transfers import Credentials, Progress, Pull, Unpack
from moorage_sdk.transfers import Registry as Reach
from moorage_testkit import daemons, images, registries
from moorage_testkit.daemons import Daemon, moorage, wait_until
from moorage_testkit.images import LAYERED, Layout
from moorage_testkit.registries import PASSWORD, USER, Exchange, Proxy, Registry, TokenServer

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: snapshots are mounted"),
    pytest.mark.skipif(not registries.available(), reason="needs docker-registry, skopeo and openssl"),
]

BLOBS = "/blobs/sha256"
PARALLEL = '[plugins."io.containerd.transfer.v1.local"]\nmax_concurrent_unpacks = 3\n'


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout(tmp_path_factory.mktemp("layout"))
    layout.tag("layered", images.layered(layout, payload=300_000))
    layout.tag("multi", images.multi_platform(layout))
    return layout


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, layout: Layout) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        for tag in layout.tags:
            images.push(layout, tag, f"{registry.address}/test/{tag}:latest")
        yield registry


@pytest.fixture
def proxy(registry: Registry) -> Iterator[Proxy]:
    with Proxy(registry.address) as proxy:
        yield proxy


@pytest.fixture
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    with daemons.directory() as base, Daemon(moorage(getattr(request, "param", "")), base) as daemon:
        yield daemon


def wanted(address: str, name: str = "layered", snapshotter: str = "", reach: Reach | None = None) -> Pull:
    host = platforms.host()
    unpacks = (Unpack(host, snapshotter),)
    return Pull(f"{address}/test/{name}:latest", platforms=(host,), unpacks=unpacks, registry=reach or Reach())


def pull(daemon: Daemon, pull: Pull) -> list[Progress]:
    lines: list[Progress] = []

    async def main() -> None:
        async with connect(daemon.address) as client:
            await client.transfers.pull(pull, lines.append)

    asyncio.run(main())
    return lines


def snapshots(daemon: Daemon) -> dict[str, str]:
    """Kinds by name."""
    lines = daemon.ctr("snapshots", "ls").stdout.splitlines()[1:]
    return {line.split()[0]: line.split()[-1] for line in lines}


def received(daemon: Daemon) -> int:
    """Bytes in ingests."""

    async def main() -> int:
        async with connect(daemon.address) as client:
            return sum(status.offset for status in await client.contents.statuses())

    return asyncio.run(main())


def assert_mountable(daemon: Daemon, reference: str, folder: Path) -> None:
    daemon.ctr("images", "mount", reference, str(folder))
    try:
        assert {name: (folder / name).read_bytes() for name in LAYERED} == LAYERED
        assert not any((folder / name).exists() for name in ("etc/gone", "srv/gone", "opt/old"))
    finally:
        daemon.ctr("images", "unmount", str(folder))


@pytest.mark.parametrize("daemon", ["", PARALLEL], indirect=True, ids=["in-order", "parallel"])
@pytest.mark.parametrize("snapshotter", ["overlayfs", "native"])
def test_an_image_is_pulled_and_can_be_used(
    daemon: Daemon, registry: Registry, snapshotter: str, tmp_path: Path
) -> None:
    lines = pull(daemon, wanted(registry.address, snapshotter=snapshotter))
    reference = f"{registry.address}/test/layered:latest"
    assert lines[-2].event.startswith("Completed pull") and lines[-1].event == "saved"
    assert "complete (5/5)" in daemon.ctr("images", "check").stdout
    assert daemon.ctr("leases", "ls", "-q").stdout.split() == []
    assert daemon.ctr("content", "active").stdout.splitlines()[1:] == []
    if snapshotter == "overlayfs":
        assert_mountable(daemon, reference, tmp_path)


def test_what_was_pulled_survives_a_restart_and_goes_with_its_image(daemon: Daemon, registry: Registry) -> None:
    pull(daemon, wanted(registry.address))
    daemon.restart()
    assert len(snapshots(daemon)) == 4
    daemon.ctr("images", "rm", "--sync", f"{registry.address}/test/layered:latest")
    assert snapshots(daemon) == {}
    assert daemon.ctr("content", "ls", "-q").stdout.split() == []


def test_many_clients_share_one_pull(daemon: Daemon, proxy: Proxy) -> None:
    async def one() -> None:
        async with connect(daemon.address) as client:
            await client.transfers.pull(wanted(proxy.address))

    async def main() -> None:
        await asyncio.gather(*(one() for _ in range(8)))

    asyncio.run(main())
    assert proxy.count("GET", BLOBS) == 5
    assert set(snapshots(daemon).values()) == {"Committed"}
    assert len(snapshots(daemon)) == 4


def test_a_killed_daemon_resumes_the_pull(daemon: Daemon, proxy: Proxy, tmp_path: Path) -> None:
    release = threading.Event()
    proxy.on("GET", BLOBS, lambda e: e.stall(100_000, release) if len(e.body) > 200_000 else None, times=4)
    pulling = threading.Thread(target=lambda: attempt(daemon, wanted(proxy.address)))
    pulling.start()
    try:
        wait_until(lambda: received(daemon) > 50_000, 30)
        daemon.kill()
    finally:
        release.set()
        pulling.join()
    daemon.start()
    pull(daemon, wanted(proxy.address))
    assert any(request.header("Range") for request in proxy.seen("GET", BLOBS))
    assert_mountable(daemon, f"{proxy.address}/test/layered:latest", tmp_path)


def test_a_collection_meanwhile_takes_nothing(daemon: Daemon, proxy: Proxy, tmp_path: Path) -> None:
    pull(daemon, wanted(proxy.address, "multi"))
    release = threading.Event()
    proxy.on("GET", BLOBS, lambda e: e.stall(100_000, release) if len(e.body) > 200_000 else None, times=4)
    pulling = threading.Thread(target=pull, args=(daemon, wanted(proxy.address)))
    pulling.start()
    try:
        wait_until(lambda: received(daemon) > 50_000, 30)
        daemon.ctr("images", "rm", "--sync", f"{proxy.address}/test/multi:latest")
    finally:
        release.set()
        pulling.join()
    daemon.ctr("images", "tag", f"{proxy.address}/test/layered:latest", "again")
    daemon.ctr("images", "rm", "--sync", "again")
    assert "complete (5/5)" in daemon.ctr("images", "check").stdout
    assert_mountable(daemon, f"{proxy.address}/test/layered:latest", tmp_path)


def test_a_client_that_goes_leaves_nothing_behind(daemon: Daemon, proxy: Proxy) -> None:
    release = threading.Event()
    proxy.on("GET", BLOBS, lambda e: e.stall(100_000, release) if len(e.body) > 200_000 else None)

    async def main() -> None:
        async with connect(daemon.address) as client:
            pulling = asyncio.create_task(client.transfers.pull(wanted(proxy.address)))
            while proxy.count("GET", BLOBS) < 3:
                await asyncio.sleep(0.02)
            pulling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pulling

    try:
        asyncio.run(main())
        wait_until(lambda: daemon.ctr("leases", "ls", "-q").stdout.split() == [], 20)
        assert snapshots(daemon) == {}
        assert daemon.ctr("images", "ls", "-q").stdout.split() == []
    finally:
        release.set()


def test_wrong_bytes_are_never_an_image(daemon: Daemon, proxy: Proxy) -> None:
    proxy.on("GET", BLOBS, lambda e: e.corrupt(150_000) if len(e.body) > 200_000 else None)
    with pytest.raises(errors.DataLoss, match="registry sent other bytes"):
        pull(daemon, wanted(proxy.address))
    assert daemon.ctr("images", "ls", "-q").stdout.split() == []
    assert "Active" not in snapshots(daemon).values()


def test_credentials_travel_from_client_to_token_server(daemon: Daemon, layout: Layout, tmp_path: Path) -> None:
    proxy = Proxy()
    proxy.tokens = TokenServer(tmp_path, f"{proxy.url}/token", {USER: PASSWORD})
    with proxy, Registry(tmp_path / "registry", tokens=proxy.tokens) as registry:
        proxy.upstream = registry.address
        reference = f"{proxy.address}/test/multi:latest"
        images.push(layout, "multi", reference, credentials=f"{USER}:{PASSWORD}")
        with pytest.raises(errors.Unauthenticated):
            pull(daemon, wanted(proxy.address, "multi"))
        asked: list[str] = []

        def authority(host: str, reference: str, realm: str) -> Credentials:
            asked.append(realm)
            return Credentials(USER, PASSWORD)

        pull(daemon, wanted(proxy.address, "multi", reach=Reach(authority=authority)))
        assert asked == [f"{proxy.url}/token"]
    assert daemon.ctr("images", "ls", "-q").stdout.split() == [reference]


def test_what_is_not_there_is_told(daemon: Daemon, registry: Registry, proxy: Proxy) -> None:
    with pytest.raises(errors.NotFound, match="test/none"):
        pull(daemon, wanted(registry.address, "none"))
    with pytest.raises(errors.Unavailable, match="Connection refused"):
        pull(daemon, wanted("127.0.0.1:9"))
    with pytest.raises(errors.InvalidArgument, match="snapshotter not loaded: none"):
        pull(daemon, wanted(registry.address, snapshotter="none"))
    with pytest.raises(errors.InvalidArgument, match="image reference"):
        pull(daemon, wanted("UPPER CASE"))
    proxy.on("HEAD", "/manifests/", Exchange.answer, 403)
    with pytest.raises(errors.PermissionDenied):
        pull(daemon, wanted(proxy.address))


def attempt(daemon: Daemon, wanted: Pull) -> None:
    """A pull whose end does not matter."""
    with contextlib.suppress(errors.Error):
        pull(daemon, wanted)
