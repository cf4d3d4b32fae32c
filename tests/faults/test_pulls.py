"""Registries that refuse, lie or break off: a clear error to both ways of pulling, and nothing lost or left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from moorage_client.clients import connect
from moorage_sdk import errors, platforms
from moorage_sdk.transfers import Pull, Unpack
from moorage_sdk.transfers import Registry as Reach
from moorage_testkit.daemons import Daemon
from moorage_testkit.images import Layout
from moorage_testkit.registries import Exchange, Proxy, Registry
from moorage_testkit.worlds import verify_world

BLOBS = r"/blobs/sha256"
Attempt = Callable[[Daemon, str, str], str]


def by_transfer(daemon: Daemon, namespace: str, name: str) -> str:
    """Pull inside the daemon. What went wrong, "" for nothing."""

    async def pull() -> None:
        wanted = Pull(name, unpacks=(Unpack(platforms.host()),), registry=Reach(default_scheme="http"))
        async with connect(daemon.address, namespace) as client:
            await client.transfers.pull(wanted)

    try:
        asyncio.run(pull())
    except errors.Error as error:
        return f"{type(error).__name__}: {error}"
    return ""


def by_client(daemon: Daemon, namespace: str, name: str) -> str:
    """Pull as ctr does it, with the daemon for a store."""
    done = daemon.ctr("-n", namespace, "images", "pull", "--plain-http", name, check=False)
    return done.stderr if done.returncode else ""


@pytest.fixture(params=[by_transfer, by_client], ids=["transfer", "ctr"])
def pull(request: pytest.FixtureRequest) -> Attempt:
    attempt: Attempt = request.param
    return attempt


@pytest.fixture
def proxy(registry: Registry) -> Iterator[Proxy]:
    with Proxy(registry.address) as proxy:
        yield proxy


def assert_nothing_lost(daemon: Daemon, namespace: str, busybox: str) -> None:
    """The image that was there still is and runs, the one that failed has no name, and nothing else is left."""
    assert daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.split() == [busybox]
    assert daemon.ctr("-n", namespace, "run", "--rm", busybox, "check", "echo", "there").stdout == "there\n"
    verify_world(daemon.world).assert_clean()


def test_an_unknown_image(daemon: Daemon, namespace: str, busybox: str, registry: Registry, pull: Attempt) -> None:
    said = pull(daemon, namespace, f"{registry.address}/no/such:image")
    assert "no/such:image" in said and "not found" in said
    assert_nothing_lost(daemon, namespace, busybox)


def test_nobody_listens(daemon: Daemon, namespace: str, busybox: str, pull: Attempt) -> None:
    said = pull(daemon, namespace, "127.0.0.1:1/no/such:image")
    assert "127.0.0.1:1" in said and "refused" in said.lower()
    assert_nothing_lost(daemon, namespace, busybox)


def test_a_layer_with_another_digest(
    daemon: Daemon, namespace: str, busybox: str, proxy: Proxy, pull: Attempt, layout: Layout
) -> None:
    proxy.on("GET", BLOBS, Exchange.corrupt, 20)
    said = pull(daemon, namespace, f"{proxy.address}/layered:latest")
    assert "sha256:" in said and ("digest" in said or "hash" in said), said
    assert_nothing_lost(daemon, namespace, busybox)


def test_a_layer_that_breaks_off_every_time(daemon: Daemon, namespace: str, busybox: str, proxy: Proxy) -> None:
    """ctr takes minutes to give up, and its patience is not ours to test."""
    proxy.on("GET", BLOBS, Exchange.cut, 100)
    said = by_transfer(daemon, namespace, f"{proxy.address}/layered:latest")
    assert "sha256:" in said and proxy.address in said, said
    assert_nothing_lost(daemon, namespace, busybox)


def test_a_layer_that_is_shorter_than_it_should(
    daemon: Daemon, namespace: str, busybox: str, proxy: Proxy, pull: Attempt
) -> None:
    proxy.on("GET", BLOBS, Exchange.replace, b"short")
    said = pull(daemon, namespace, f"{proxy.address}/layered:latest")
    assert "sha256:" in said or "unexpected EOF" in said, said  # the latter is all that ctr says
    assert_nothing_lost(daemon, namespace, busybox)


def test_a_layer_that_breaks_off_once_is_fetched_to_its_end(
    daemon: Daemon, namespace: str, busybox: str, proxy: Proxy
) -> None:
    proxy.on("GET", BLOBS, Exchange.cut, 1000, times=1)
    name = f"{proxy.address}/layered:latest"
    assert by_transfer(daemon, namespace, name) == ""
    assert "incomplete" not in daemon.ctr("-n", namespace, "images", "check").stdout
    verify_world(daemon.world).assert_clean()


def test_after_a_failure_the_same_pull_succeeds(
    daemon: Daemon, namespace: str, busybox: str, proxy: Proxy, layout: Layout
) -> None:
    """Not so with ctr, of containerd as well: it resumes an ingest that is complete and wrong until it is collected."""
    proxy.on("GET", BLOBS, Exchange.corrupt, 20, times=1000)
    name = f"{proxy.address}/layered:latest"
    assert by_transfer(daemon, namespace, name)
    proxy.on("GET", BLOBS, lambda exchange: None)
    assert by_transfer(daemon, namespace, name) == ""
    verify_world(daemon.world).assert_clean()
