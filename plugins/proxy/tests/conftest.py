"""Peers to speak to. A daemon of ours is the nearest real one: its API is what a proxied plugin serves."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import grpc.aio
import pytest

from moorage_api import serving
from moorage_client import clients
from moorage_proxy.peers import Peer
from moorage_proxy.scopes import Scope
from moorage_testkit import daemons
from moorage_testkit.daemons import Daemon, Program

LEASE = "conformance"
THEIRS = {
    "test_rebase": "containerd 1 knows no rebase, and 2 gives a full copy a parent whose files it does not have",
    "test_commit_refuses": "containerd measures a committed snapshot where there is none",
    "test_other_total_than_before_is_refused": "containerd starts over in the old file",
    "test_what_a_writer_has_is_not_aborted": "containerd removes the ingest under its writer",
    "test_other_algorithms": "containerd 1 knows sha256 only",
}
"""What the suites ask for and containerd does not do, as tests/conformance shows without a proxy between."""

ISOLATED = 'version = 4\n[plugins."io.containerd.metadata.v1.bolt"]\ncontent_sharing_policy = "isolated"\n'

_namespaces = itertools.count()


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    yield from _started(daemons.moorage(ISOLATED))


@pytest.fixture(scope="session")
def containerd() -> Iterator[Daemon]:
    if not shutil.which("containerd"):
        pytest.skip("needs containerd")
    theirs = daemons.containerd()
    yield from _started(theirs.with_config(theirs.config + ISOLATED.removeprefix("version = 4\n")))


def _started(program: Program) -> Iterator[Daemon]:
    if os.geteuid():
        pytest.skip("needs root to run a daemon")
    with daemons.directory() as base, Daemon(program, base) as daemon:
        yield daemon


@pytest.fixture
def peer(daemon: Daemon) -> Iterator[Peer]:
    peer = Peer(daemon.address)
    yield peer
    peer.close()


@pytest.fixture(params=["daemon", pytest.param("containerd", marks=pytest.mark.full)])
def both(request: pytest.FixtureRequest, namespace: str) -> Iterator[tuple[Peer, Scope]]:
    """A daemon of ours, and containerd, as a peer; a namespace that no other test has, and a lease for it."""
    name = request.function.__name__
    if request.param == "containerd" and name in THEIRS:
        pytest.skip(THEIRS[name])
    daemon: Daemon = request.getfixturevalue(request.param)
    asyncio.run(_lease(daemon.address, namespace))
    peer = Peer(daemon.address)
    yield peer, Scope(namespace, LEASE, pinned=True)
    peer.close()


async def _lease(address: str, namespace: str) -> None:
    async with clients.connect(address, namespace) as client:
        await client.leases.create(LEASE)


@pytest.fixture
def namespace() -> str:
    """One that no other test has."""
    return f"test-{next(_namespaces)}"


class Served:
    """Handlers of services at a socket, on a loop in a thread of its own. ``headers`` are the last ones, by method.

    ``services`` maps the name of a service to handlers as of ``moorage_api.serving.handler``.
    """

    def __init__(self, address: str, services: dict[str, dict[str, Callable[..., Any]]]) -> None:
        self.address = address
        self.services = services
        self.headers: dict[str, dict[str, str]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="served")
        self._thread.start()
        self._server: Any = None

    def start(self) -> Self:
        self._run(self._start())
        return self

    def stop(self) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._run(self._server.stop(None))
            self._server = None

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _start(self) -> None:
        self._server = grpc.aio.server()
        for name, handlers in self.services.items():
            noted = {method: self._noted(method, handler) for method, handler in handlers.items()}
            self._server.add_generic_rpc_handlers((serving.handler(name, noted),))
        self._server.add_insecure_port(f"unix://{self.address}")
        await self._server.start()

    def _noted(self, method: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(request: Any, context: Any) -> Any:
            self.headers[method] = dict(context.invocation_metadata())
            return await handler(request, context)

        return handle


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Makes a peer of handlers and starts it."""
    made: list[Served] = []

    def serve(services: dict[str, dict[str, Callable[..., Any]]]) -> Served:
        made.append(Served(str(tmp_path / f"{len(made)}.sock"), services))
        return made[-1].start()

    yield serve
    for each in made:
        each.close()


@pytest.fixture
def connect() -> Iterator[Callable[[str], Peer]]:
    """Makes the client of an address."""
    made: list[Peer] = []

    def connect(address: str) -> Peer:
        made.append(Peer(address))
        return made[-1]

    yield connect
    for each in made:
        each.close()
