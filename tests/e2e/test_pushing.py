"""Images out of whole daemons into real registries: by the command line, by ``ctr``, and read back by skopeo."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pexpect
import pytest

from moorage_client.clients import connect
from moorage_sdk import digests, errors
from moorage_sdk.transfers import Credentials, Progress, Pull, Push
from moorage_sdk.transfers import Registry as Reach
from moorage_testkit import daemons, images, registries
from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.images import Layout
from moorage_testkit.registries import PASSWORD, USER, Proxy, Registry, Request, TokenServer

pytestmark = [
    pytest.mark.skipif(not registries.available(), reason="needs docker-registry, skopeo and openssl"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]

Moorage = Callable[..., subprocess.CompletedProcess[bytes]]
Command = Callable[..., list[str]]

BUSYBOX = "docker.io/library/busybox:latest"
MULTI = "docker.io/test/multi:latest"
UPLOAD = "/blobs/uploads/"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout(tmp_path_factory.mktemp("layout") / "layout")
    layout.tag(MULTI, images.multi_platform(layout))
    return layout


@pytest.fixture
def multi(server: Daemon, layout: Layout, namespace: str) -> Iterator[Daemon]:
    """The daemon of the test, with an image for three platforms."""
    archive = images.archive(layout, layout.path.with_suffix(".tar"))
    server.ctr("-n", namespace, "images", "import", "--no-unpack", "--all-platforms", str(archive))
    yield server
    server.ctr("-n", namespace, "images", "rm", MULTI)


@pytest.fixture(autouse=True)
def transferring(server: Daemon) -> None:
    """Only of daemons that push by themselves there is anything to see."""

    async def main() -> list[Any]:
        async with connect(server.address) as client:
            return await client.plugins.list(["type==io.containerd.grpc.v1,id==transfer"])

    if not asyncio.run(main()):
        pytest.skip("this containerd has no transfer service")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry(tmp_path / "registry") as registry:
        yield registry


def inspected(reference: str, *options: str) -> Any:
    """A manifest or index, as skopeo gets it."""
    words = ["skopeo", "inspect", "--raw", "--tls-verify=false", *options, f"docker://{reference}"]
    return subprocess.run(words, check=True, capture_output=True).stdout


def target(daemon: Daemon, namespace: str, name: str) -> str:
    """The digest of an image."""

    async def main() -> str:
        async with connect(daemon.address, namespace) as client:
            return (await client.images.get(name)).target.digest

    return asyncio.run(main())


def push(daemon: Daemon, namespace: str, wanted: Push) -> list[Progress]:
    lines: list[Progress] = []

    async def main() -> None:
        async with connect(daemon.address, namespace) as client:
            await client.transfers.push(wanted, lines.append)

    asyncio.run(main())
    return lines


class TestByTheCommandLine:
    def test_an_image_goes_where_its_name_says(
        self, server: Daemon, moorage: Moorage, namespace: str, registry: Registry, tmp_path: Path
    ) -> None:
        name = f"{registry.address}/my/busybox:1"
        assert moorage("tag", "busybox", name).stdout.decode() == f"{name}\n"
        done = moorage("push", name)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.decode().splitlines()
        assert lines[0] == f"{name}: pushing"
        assert lines[-1] == name
        assert digests.of(inspected(name)) == target(server, namespace, BUSYBOX)
        assert moorage("push", "-q", name).stdout.decode() == f"{name}\n"
        assert moorage("rmi", name).returncode == 0

    def test_an_image_goes_elsewhere(
        self, server: Daemon, moorage: Moorage, namespace: str, registry: Registry
    ) -> None:
        assert moorage("push", "busybox", f"{registry.address}/x").returncode == 0
        assert digests.of(inspected(f"{registry.address}/x:latest")) == target(server, namespace, BUSYBOX)

    def test_one_platform_goes_alone(self, multi: Daemon, moorage: Moorage, registry: Registry, layout: Layout) -> None:
        listed = json.loads(layout.read(layout.tags[MULTI]))["manifests"]
        [arm] = [entry["digest"] for entry in listed if entry["platform"]["architecture"] == "arm64"]
        before = moorage("images", "-q").stdout
        done = moorage("push", "--platform", "linux/arm64", MULTI, f"{registry.address}/arm:1")
        assert done.returncode == 0, done.stderr
        assert digests.of(inspected(f"{registry.address}/arm:1")) == arm
        assert moorage("images", "-q").stdout == before
        done = moorage("push", "--platform", "linux/s390x", MULTI, f"{registry.address}/arm:2")
        assert done.returncode == 1
        assert b"linux/s390x" in done.stderr

    def test_all_platforms_go_together(
        self, multi: Daemon, moorage: Moorage, registry: Registry, layout: Layout
    ) -> None:
        assert moorage("push", MULTI, f"{registry.address}/multi:1").returncode == 0
        assert inspected(f"{registry.address}/multi:1") == layout.read(layout.tags[MULTI])

    def test_credentials_are_asked_for(self, moorage: Moorage, command: Command, tmp_path: Path) -> None:
        with Registry(tmp_path / "private", htpasswd=True) as registry:
            name = f"{registry.address}/x:1"
            assert moorage("push", "busybox", name).returncode == 1
            done = moorage("push", "-u", f"{USER}:wrong", "busybox", name)
            assert done.returncode == 1
            assert b"wrong" not in done.stderr
            words = command("push", "-u", USER, "busybox", name)
            child = pexpect.spawn(words[0], words[1:], timeout=60, encoding="utf-8")
            child.expect(f"Password of {USER} at 127.0.0.1")
            child.sendline(PASSWORD)
            child.expect(pexpect.EOF)
            child.close()
            assert child.exitstatus == 0
            assert inspected(name, "--creds", f"{USER}:{PASSWORD}")

    def test_what_cannot_be_is_told(self, moorage: Moorage) -> None:
        done = moorage("push", "none", "127.0.0.1:1/x")
        assert done.returncode == 1
        assert b'image "none": not found' in done.stderr
        done = moorage("push", "busybox", "127.0.0.1:1/x")
        assert done.returncode == 1
        assert b"refused" in done.stderr
        assert b"Traceback" not in done.stderr


class TestByCtr:
    def test_an_image_goes_to_a_registry(self, server: Daemon, namespace: str, registry: Registry) -> None:
        name = f"{registry.address}/by/ctr:1"
        server.ctr("-n", namespace, "images", "push", "--plain-http", name, BUSYBOX)
        assert digests.of(inspected(name)) == target(server, namespace, BUSYBOX)

    def test_an_index_goes_whole(self, multi: Daemon, namespace: str, registry: Registry, layout: Layout) -> None:
        name = f"{registry.address}/by/ctr:2"
        multi.ctr("-n", namespace, "images", "push", "--plain-http", name, MULTI)
        assert inspected(name) == layout.read(layout.tags[MULTI])


class TestByTransfer:
    def test_the_words_are_containerds(self, server: Daemon, namespace: str, registry: Registry) -> None:
        reference = f"{registry.address}/words:1"
        lines = push(server, namespace, Push(reference, BUSYBOX))
        assert lines[0].event == f"Pushing to OCI Registry ({reference})"
        assert (lines[1].event, lines[1].name) == ("pushing content", BUSYBOX)
        assert f"Completed push to OCI Registry ({reference})" in [line.event for line in lines]
        assert ("pushed content", BUSYBOX) in [(line.event, line.name) for line in lines]
        done = {line.name.partition("-")[0]: line for line in lines if line.event == "complete"}
        assert set(done) == {"manifest", "config", "layer"}
        assert done["manifest"].parents == (BUSYBOX,)
        assert done["layer"].parents == done["config"].parents == (done["manifest"].name,)
        assert all(line.progress == line.total > 0 for line in done.values())
        again = push(server, namespace, Push(reference, BUSYBOX))
        assert [line.event for line in again].count("already exists") == 3

    def test_a_part_of_an_index_needs_a_registry_that_has_the_rest(
        self, multi: Daemon, namespace: str, registry: Registry
    ) -> None:
        from moorage_sdk.platforms import parse

        with pytest.raises(errors.Error, match="missing in your target registry"):
            push(multi, namespace, Push(f"{registry.address}/part:1", MULTI, (parse("linux/arm64"),)))

    def test_credentials_travel_from_client_to_token_server(
        self, server: Daemon, namespace: str, tmp_path: Path
    ) -> None:
        gate = Proxy()
        gate.tokens = TokenServer(tmp_path, f"{gate.url}/token", {USER: PASSWORD})
        with gate, Registry(tmp_path / "private", tokens=gate.tokens) as registry:
            gate.upstream = registry.address
            reach = Reach(default_scheme="http", authority=lambda *_: Credentials(USER, PASSWORD))
            push(server, namespace, Push(f"{gate.address}/x:1", BUSYBOX, registry=reach))
            assert "scope=repository%3Ax%3Apull%2Cpush" in gate.tokens.asked[-1]
            with pytest.raises(errors.Error):
                push(server, namespace, Push(f"{gate.address}/x:2", BUSYBOX))

    def test_what_is_not_there_is_not_found(self, server: Daemon, namespace: str, registry: Registry) -> None:
        with pytest.raises(errors.NotFound, match='image "none": not found'):
            push(server, namespace, Push(f"{registry.address}/x:1", "none"))


@pytest.mark.parametrize("server", ["containerd"], indirect=True)
@pytest.mark.parametrize("suffix", [":1", "", "@digest", ":1@digest"])
def test_both_tell_and_do_the_same(pair: Any, namespace: str, registry: Registry, suffix: str, server: Daemon) -> None:
    told, done = [], []
    for daemon, name in ((pair.ours, "ours"), (pair.theirs, "theirs")):
        with Proxy(registry.address) as gate:
            goal = f"{gate.address}/{name}" + suffix.replace("digest", target(daemon, namespace, BUSYBOX))
            for _ in range(2):
                lines = push(daemon, namespace, Push(goal, BUSYBOX, registry=Reach(default_scheme="http")))
                events = [replace(line, event=line.event.replace(goal, "goal")) for line in lines]
                told.append(sorted(str(line) for line in events if line.event != "uploading"))
            done.append(sorted(_asked(request, name) for request in gate.requests))
    assert told[0] == told[2]
    assert told[1] == told[3]
    assert done[0] == done[1]


@pytest.mark.parametrize("server", ["containerd"], indirect=True)
def test_both_mount_what_the_registry_has(pair: Any, namespace: str, registry: Registry, server: Daemon) -> None:
    done = []
    for daemon, name in ((pair.ours, "ours"), (pair.theirs, "theirs")):
        with Proxy(registry.address) as gate:
            reach, seen = Reach(default_scheme="http"), f"{gate.address}/{name}/base:1"
            push(daemon, namespace, Push(seen, BUSYBOX, registry=reach))

            async def pull(daemon: Daemon = daemon, seen: str = seen, reach: Reach = reach) -> None:
                async with connect(daemon.address, namespace) as client:
                    await client.transfers.pull(Pull(seen, registry=reach))

            asyncio.run(pull())
            gate.requests.clear()
            push(daemon, namespace, Push(f"{gate.address}/{name}/app:1", seen, registry=reach))
            done.append(sorted(_asked(request, name) for request in gate.requests))
            daemon.ctr("-n", namespace, "images", "rm", seen)
    assert done[0] == done[1]
    assert len([where for _, where, _ in done[0] if "from=name" in where]) == 2


def _asked(request: Request, name: str) -> tuple[str, str, str]:
    """What is asked of a registry, without what is random in it."""
    where = re.sub(r"uploads/[0-9a-f-]+", "uploads/id", request.target.replace(name, "name"))
    return request.method, re.sub(r"_state=[^&]*", "_state", where), request.header("Content-Type")


@pytest.mark.parametrize("server", ["mooraged"], indirect=True)
class TestMeanwhile:
    def test_the_image_may_be_removed(self, multi: Daemon, namespace: str, registry: Registry, layout: Layout) -> None:
        multi.ctr("-n", namespace, "images", "tag", MULTI, "docker.io/test/going:1")
        release = threading.Event()
        with Proxy(registry.address) as gate:
            gate.on("POST", UPLOAD, lambda exchange: release.wait(60))
            wanted = Push(f"{gate.address}/x:1", "docker.io/test/going:1")
            pushing = threading.Thread(target=push, args=(multi, namespace, wanted))
            pushing.start()
            try:
                wait_until(lambda: gate.count("POST", UPLOAD) > 0, 30)
                for name in ("docker.io/test/going:1", MULTI):
                    multi.ctr("-n", namespace, "images", "rm", "--sync", name)
            finally:
                release.set()
                pushing.join()
        assert inspected(f"{registry.address}/x:1") == layout.read(layout.tags[MULTI])
        archive = images.archive(layout, layout.path.with_suffix(".tar"))
        multi.ctr("-n", namespace, "images", "import", "--no-unpack", "--all-platforms", str(archive))

    def test_the_client_may_go(self, server: Daemon, namespace: str, registry: Registry) -> None:
        release = threading.Event()
        with Proxy(registry.address) as gate:
            gate.on("PUT", UPLOAD, lambda exchange: release.wait(60))

            async def main() -> None:
                async with connect(server.address, namespace) as client:
                    pushing = asyncio.create_task(client.transfers.push(Push(f"{gate.address}/x:1", BUSYBOX)))
                    while gate.count("PUT", UPLOAD) < 2:
                        await asyncio.sleep(0.02)
                    pushing.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await pushing

            try:
                asyncio.run(main())
                wait_until(lambda: server.ctr("-n", namespace, "leases", "ls", "-q").stdout.split() == [], 20)
            finally:
                release.set()
            assert gate.count("PUT", "/manifests/") == 0


@pytest.mark.parametrize("server", ["mooraged"], indirect=True)
def test_a_killed_daemon_pushes_again(archive: Path, registry: Registry, server: Daemon) -> None:
    release = threading.Event()
    with daemons.directory() as base, Daemon(daemons.moorage(), base) as daemon, Proxy(registry.address) as gate:
        daemon.ctr("images", "import", "--no-unpack", str(archive))
        gate.on("PUT", UPLOAD, lambda exchange: release.wait(60), times=2)
        wanted = Push(f"{gate.address}/x:1", BUSYBOX)

        def attempt() -> None:
            with contextlib.suppress(errors.Error):
                push(daemon, "default", wanted)

        pushing = threading.Thread(target=attempt)
        pushing.start()
        try:
            wait_until(lambda: gate.count("PUT", UPLOAD) > 0, 30)
            daemon.kill()
        finally:
            release.set()
            pushing.join()
        daemon.start()
        push(daemon, "default", wanted)
        assert digests.of(inspected(f"{registry.address}/x:1")) == target(daemon, "default", BUSYBOX)
