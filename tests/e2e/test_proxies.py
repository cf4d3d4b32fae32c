"""The daemon with slots that other processes fill: ``[proxy_plugins]``, and what becomes of it when those die."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from moorage_api.calling import Stub
from moorage_api.messages import sandboxes, types
from moorage_client.clients import connect
from moorage_sdk import errors, platforms
from moorage_sdk.transfers import Pull, Unpack
from moorage_testkit import daemons, images, registries
from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.images import Layout
from moorage_testkit.registries import Registry

BUSYBOX = "docker.io/library/busybox:latest"
NAMESPACE = f"proxies-{os.getpid()}"

pytestmark = pytest.mark.skipif(
    bool(os.geteuid()) or not all(map(shutil.which, ("ctr", "runc", "busybox"))), reason="needs root, ctr and runc"
)

SNAPSHOTTER = """
# A snapshotter as a process of its own. It has what lies in "remote" by chain id, and hangs while there is "hang".
import asyncio, shutil, sys, time
from pathlib import Path
import grpc.aio
from moorage_api import serving
from moorage_sdk import errors, labels as names
from moorage_services.calls import bound
from moorage_services.pools import Pools
from moorage_services.snapshots import SnapshotService
from moorage_snapshotter_native.snapshotters import NativeSnapshotter

base = Path(sys.argv[1])

class Far(NativeSnapshotter):
    def prepare(self, key, parent="", labels=None):
        mounts = super().prepare(key, parent, labels)
        while (base / "hang").exists():
            time.sleep(0.01)
        layer = base / "remote" / (labels or {}).get(names.SNAPSHOT_REF, "none")
        if layer.is_dir():
            shutil.copytree(layer, mounts[0].source, symlinks=True, dirs_exist_ok=True)
            self.commit(f"{key} remote", key, labels)
            raise errors.AlreadyExists(f'target snapshot "{layer.name}": already exists')
        return mounts

class View:
    # No namespaces: keys arrive as "namespace/number/key", as those of any backend.
    backend = Far(base / "snapshots")
    def view(self, namespace, lease=""):
        return self
    def snapshotter(self, name):
        if name != "far":
            raise errors.InvalidArgument(f"snapshotter not loaded: {name}: invalid argument")
        return self.backend

async def main():
    service = SnapshotService(View(), Pools("far", 32))
    handlers = {name: bound(handler) for name, handler in service.handlers().items()}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((serving.handler(service.name, handlers),))
    server.add_insecure_port(f"unix://{base}/far.sock")
    await server.start()
    await server.wait_for_termination()

asyncio.run(main())
"""

CONFIG = """
version = 4
[proxy_plugins.far]
type = "snapshot"
address = "unix://{base}/far.sock"
platform = "linux/arm64"
capabilities = ["remote"]
[proxy_plugins.far.exports]
root = "{base}/snapshots"
"""


class Peer:
    """A plugin's process."""

    def __init__(self, base: Path, program: str = SNAPSHOTTER) -> None:
        self.base = base
        self.program = program
        self.config = CONFIG.format(base=base)
        self.process: subprocess.Popen[bytes] | None = None
        (base / "remote").mkdir()

    def start(self) -> None:
        with open(self.base / "log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", self.program, str(self.base)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        wait_until((self.base / "far.sock").exists, daemons.START)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            (self.base / "far.sock").unlink(missing_ok=True)
            self.process = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It neither answers nor goes away."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def trees(self) -> list[str]:
        """Directories of its snapshots."""
        folder = self.base / "snapshots" / "snapshots"
        return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture
def peer() -> Iterator[Peer]:
    with daemons.directory() as base:
        made = Peer(base)
        yield made
        made.kill()


@pytest.fixture
def front(peer: Peer) -> Iterator[Daemon]:
    with daemons.directory() as base:
        yield from started(daemons.moorage(peer.config), base)


def started(program: daemons.Program, base: Path) -> Iterator[Daemon]:
    with Daemon(program, base, namespaces=["default", NAMESPACE]) as daemon:
        yield daemon


def back(attempt: Callable[[], subprocess.CompletedProcess[str]]) -> bool:
    return attempt().returncode == 0


def test_a_container_runs_on_proxied_snapshots(peer: Peer, front: Daemon, archive: Path) -> None:
    peer.start()
    front.ctr("-n", NAMESPACE, "images", "import", "--snapshotter", "far", str(archive))
    run = ("run", "--rm", "--snapshotter", "far", BUSYBOX, "box", "sh", "-c", "echo far > /f; cat /f")
    assert front.ctr("-n", NAMESPACE, *run).stdout == "far\n"
    assert peer.trees() != []
    front.ctr("-n", NAMESPACE, "images", "rm", "--sync", BUSYBOX)
    wait_until(lambda: peer.trees() == [])


def test_introspection_shows_the_proxy_as_it_is_configured(peer: Peer, front: Daemon) -> None:
    shown = front.ctr("plugins", "ls", "-d", "id==far").stdout
    for word in ("io.containerd.snapshotter.v1", "linux/arm64", "remote", f"{peer.base}/snapshots", "far.sock"):
        assert word in shown
    assert "Error" not in shown


def test_a_dead_socket_concerns_its_users_only_and_only_for_as_long(peer: Peer, front: Daemon) -> None:
    began = time.monotonic()
    failed = front.ctr("snapshots", "--snapshotter", "far", "prepare", "a", check=False)
    assert failed.returncode
    assert failed.stderr.strip().endswith(": unavailable")
    assert f"{peer.base}/far.sock" in failed.stderr
    assert time.monotonic() - began < daemons.START
    front.ctr("snapshots", "prepare", "a")
    front.ctr("images", "rm", "--sync", "none", check=False)  # the collector lives with it
    peer.start()
    wait_until(lambda: back(lambda: front.ctr("snapshots", "--snapshotter", "far", "prepare", "a", check=False)))
    front.ctr("snapshots", "--snapshotter", "far", "rm", "a")


def test_a_peer_killed_in_the_middle_of_a_call(peer: Peer, front: Daemon) -> None:
    peer.start()
    (peer.base / "hang").touch()
    failed: list[subprocess.CompletedProcess[str]] = []
    call = ("snapshots", "--snapshotter", "far", "prepare", "a")
    calling = threading.Thread(target=lambda: failed.append(front.ctr(*call, check=False)))
    calling.start()
    wait_until(lambda: len(peer.trees()) == 1)
    peer.kill()
    calling.join(60)
    assert failed[0].stderr.strip().endswith(": unavailable")
    (peer.base / "hang").unlink()
    peer.start()
    wait_until(lambda: back(lambda: front.ctr(*call, check=False)))
    # What the killed one had made belongs to nobody, and the collector finds it.
    front.ctr("snapshots", "--snapshotter", "far", "rm", "a")
    wait_until(lambda: peer.trees() == [])


def test_a_peer_that_hangs_holds_up_nobody_else(peer: Peer, front: Daemon) -> None:
    peer.start()
    front.ctr("snapshots", "--snapshotter", "far", "prepare", "a")

    async def ask() -> None:
        async with connect(front.address) as client:
            with peer.stopped():
                hanging = [asyncio.create_task(client.snapshots("far").stat("a")) for _ in range(64)]
                await asyncio.sleep(0.5)
                for number in range(16):
                    await client.snapshots("overlayfs").prepare(f"b-{number}")
                assert (await client.images.list()) == []
                assert not any(task.done() for task in hanging)
            assert {info.name for info in await asyncio.gather(*hanging)} == {"a"}

    asyncio.run(asyncio.wait_for(ask(), 60))


def test_clients_that_give_up_leave_no_thread_behind_with_a_peer_that_hangs(peer: Peer, front: Daemon) -> None:
    peer.start()
    front.ctr("snapshots", "--snapshotter", "far", "prepare", "a")

    async def ask() -> None:
        async with connect(front.address) as client:
            snapshots = client.snapshots("far")
            (peer.base / "hang").touch()
            hanging = [asyncio.create_task(snapshots.prepare(f"b-{number}")) for number in range(32)]
            await asyncio.sleep(0.5)
            assert not any(task.done() for task in hanging)
            for task in hanging:
                task.cancel()
            assert (await asyncio.wait_for(snapshots.stat("a"), 20)).name == "a"
            (peer.base / "hang").unlink()

    asyncio.run(ask())
    front.ctr("snapshots", "--snapshotter", "far", "rm", "a")
    wait_until(lambda: peer.trees() == [], 30)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Registry, Layout, images.Image]]:
    if not registries.available():
        pytest.skip("needs docker-registry, skopeo and openssl")
    layout = Layout(tmp_path_factory.mktemp("layout"))
    image = images.busybox(layout)
    layout.tag("busybox", image)
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        images.push(layout, "busybox", f"{registry.address}/busybox:latest")
        yield registry, layout, image


@pytest.mark.parametrize("by", ["transfer", "ctr"])
def test_what_a_remote_snapshotter_has_is_neither_fetched_nor_unpacked(
    peer: Peer, front: Daemon, registry: tuple[Registry, Layout, images.Image], by: str
) -> None:
    source, layout, image = registry
    with tarfile.open(fileobj=io.BytesIO(layout.read(image.layers[0]))) as tar:
        tar.extractall(peer.base / "remote" / image.diff_ids[0], filter="fully_trusted")
    peer.start()
    name, host = f"{source.address}/busybox:latest", platforms.host()
    if by == "transfer":

        async def pull() -> None:
            async with connect(front.address) as client:
                await client.transfers.pull(Pull(name, platforms=(host,), unpacks=(Unpack(host, "far"),)))

        asyncio.run(pull())
        assert image.layers[0].digest not in front.ctr("content", "ls", "-q").stdout
    else:
        front.ctr("images", "pull", "--plain-http", "--snapshotter", "far", name)
    listed = front.ctr("snapshots", "--snapshotter", "far", "info", image.diff_ids[0]).stdout
    assert "Committed" in listed
    ran = front.ctr("run", "--rm", "--snapshotter", "far", name, f"far-{by}", "echo", "remote").stdout
    assert ran == "remote\n"


FAR_CONTENT = """
version = 4
disabled_plugins = ["io.containerd.content.v1.content", "io.containerd.differ.v1.walking"]
[proxy_plugins.far]
type = "content"
address = "{address}"
namespace = "kept"
lease = "held"
[proxy_plugins.farther]
type = "io.containerd.differ.v1"
address = "{address}"
namespace = "kept"
lease = "held"
[plugins."io.containerd.service.v1.diff-service"]
default = ["farther"]
"""


@pytest.mark.parametrize("kind", ["mooraged", "containerd"])
def test_content_and_differ_may_be_another_daemons(kind: str, archive: Path) -> None:
    if not shutil.which(kind) and kind == "containerd":
        pytest.skip("needs containerd")
    program = daemons.moorage() if kind == "mooraged" else daemons.containerd()
    with daemons.directory() as far, daemons.directory() as near, Daemon(program, far, namespaces=["kept"]) as other:
        other.ctr("-n", "kept", "leases", "create", "--id", "held")
        config = FAR_CONTENT.format(address=other.address)
        with Daemon(daemons.moorage(config), near, namespaces=["default"]) as front:
            front.ctr("images", "import", str(archive))
            assert front.ctr("run", "--rm", BUSYBOX, f"far-{kind}", "echo", "far").stdout == "far\n"
            theirs = set(other.ctr("-n", "kept", "content", "ls", "-q").stdout.split())
            ours = set(front.ctr("content", "ls", "-q").stdout.split())
            assert ours and ours <= theirs
            assert front.ctr("images", "check").stdout.count("complete") == 1
            front.ctr("images", "rm", "--sync", BUSYBOX)
            wait_until(lambda: not ours & set(other.ctr("-n", "kept", "content", "ls", "-q").stdout.split()))


SANDBOXER = """
# A sandbox controller as a process of its own; what runs in it ends with it.
import asyncio, sys
import grpc.aio
from moorage_api import serving
from moorage_services.calls import bound
from moorage_services.drains import Drain
from moorage_services.sandboxers import SandboxerService
from moorage_testkit.fakes.events import MemoryExchange
from moorage_testkit.fakes.sandboxes import MemorySandboxController

async def main():
    service = SandboxerService({"far": MemorySandboxController()}, MemoryExchange(), Drain())
    handlers = {name: bound(handler) for name, handler in service.handlers().items()}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((serving.handler(service.name, handlers),))
    server.add_insecure_port(f"unix://{sys.argv[1]}/far.sock")
    await server.start()
    await server.wait_for_termination()

asyncio.run(main())
"""


def test_sandboxes_may_be_run_by_another_process() -> None:
    with daemons.directory() as far, daemons.directory() as near:
        peer = Peer(far, SANDBOXER)
        peer.start()
        config = f'version = 4\n[proxy_plugins.far]\ntype = "sandbox"\naddress = "{far}/far.sock"\n'
        try:
            with Daemon(daemons.moorage(config), near) as front:
                asyncio.run(_sandboxed(front, peer))
        finally:
            peer.kill()


async def _sandboxed(front: Daemon, peer: Peer) -> None:
    metadata = [("containerd-namespace", NAMESPACE)]
    async with grpc.aio.insecure_channel(f"unix://{front.address}") as channel:
        stub = Stub(channel, "containerd.services.sandbox.v1.Controller")

        async def ask(method: str, **fields: Any) -> Any:
            request = stub.service.methods[method].request(sandbox_id="box", sandboxer="far", **fields)
            return await stub.call(method, request, metadata=metadata, timeout=60)

        await ask("Create", sandbox=types.Sandbox(sandbox_id="box", sandboxer="far"))
        assert (await ask("Start")).pid == 100
        waiting = asyncio.create_task(ask("Wait"))
        assert (await ask("Status")).state == "SANDBOX_READY"
        assert (await ask("Platform")).platform.os == "linux"
        await ask("Stop", timeout_secs=1)
        assert (await waiting).exit_status == 137
        peer.kill()
        with pytest.raises(errors.Unavailable, match=r"far\.sock"):
            await ask("Status")
        # The daemon's own controller does not mind.
        own = sandboxes.ControllerStatusRequest(sandbox_id="none", sandboxer="shim")
        assert (await stub.call("Status", own, metadata=metadata, timeout=60)).state == ""


def test_what_cannot_be_a_proxy_is_told_with_its_line(tmp_path: Path) -> None:
    with daemons.directory() as base:
        daemon = Daemon(daemons.moorage('version = 4\n[proxy_plugins.x]\ntype = "snap"\naddress = "/x.sock"\n'), base)
        process = daemon.spawn()
        try:
            assert process.wait(daemons.START) != 0
        finally:
            daemon.sweep()
        line = next(line for line in daemon.log.read_text().splitlines() if "proxy_plugins" in line)
        assert f"{daemon.config}:3:1: proxy_plugins.x.type: expected one of" in line
        assert "snapshot" in line and "io.containerd.sandbox.controller.v1" in line


def test_errors_of_clients_are_told_as_by_a_snapshotter_of_the_daemons_own(peer: Peer, front: Daemon) -> None:
    peer.start()

    async def ask(name: str) -> list[str]:
        told = []
        async with connect(front.address, NAMESPACE) as client:
            snapshots = client.snapshots(name)
            await snapshots.prepare("a")
            for call in (
                snapshots.stat("none"),
                snapshots.prepare("a"),
                snapshots.prepare("b", "none"),
                snapshots.mounts("none"),
                snapshots.remove("none"),
            ):
                with pytest.raises(errors.Error) as caught:
                    await call
                told.append(f"{type(caught.value).__name__}: {caught.value}")
            await snapshots.remove("a")
        return told

    assert asyncio.run(ask("far")) == asyncio.run(ask("native"))
