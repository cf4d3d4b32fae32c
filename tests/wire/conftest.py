"""A daemon to speak to: ours, and the host's containerd, which says what is right where both know a method."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import tomllib
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message

from moorage_api import methods
from moorage_api.calling import Stub
from moorage_api.messages import types
from moorage_sdk import errors
from moorage_testkit import daemons, transcripts
from moorage_testkit.daemons import Daemon
from moorage_testkit.transcripts import Known, Transcript

NAMESPACE = "wire"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if os.geteuid() and item.path.is_relative_to(here):
            item.add_marker(pytest.mark.skip(reason="needs root to run a daemon"))


class Client:
    """Calls of one channel. Lives inside ``Wire.run``."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    def stub(self, service: str) -> Stub:
        return Stub(self.channel, _full(service))

    async def ask(
        self,
        service: str,
        method: str,
        fields: Mapping[str, Any] | Message | None = None,
        *,
        namespace: str = NAMESPACE,
        lease: str = "",
    ) -> Any:
        """The answer to a request, or to one of these fields; from a method that streams, all its messages."""
        stub = self.stub(service)
        known = stub.service.methods[method]
        headers = {"containerd-namespace": namespace, "containerd-lease": lease}
        metadata = [(key, value) for key, value in headers.items() if value]
        request = fields if isinstance(fields, Message) else known.request(**(fields or {}))
        if not known.server_streaming:
            return await stub.call(method, request, metadata=metadata, timeout=60)
        return [message async for message in stub.receive(method, request, metadata=metadata, timeout=60)]

    async def verdict(self, *call: Any, **circumstances: Any) -> str:
        """``OK`` or the name of the error's class. Arguments as of ``ask``."""
        try:
            await self.ask(*call, **circumstances)
        except errors.Error as error:
            return type(error).__name__
        return "OK"


@dataclass(frozen=True)
class Wire:
    daemon: Daemon
    containerd: bool

    def run(self, talk: Callable[[Client], Awaitable[None]]) -> None:
        """Talk to the daemon over one channel.

        Versions of containerd do not survive some requests that lack a message. What it died of is not compared.
        """
        process = self.daemon.process
        if self.containerd and process is not None and process.poll() is not None:
            self.daemon.start()

        async def go() -> None:
            async with grpc.aio.insecure_channel(f"unix:{self.daemon.address}", options=OPTIONS) as channel:
                await talk(Client(channel))

        try:
            asyncio.run(go())
        except (AssertionError, errors.Unavailable):
            if self.containerd and not daemons.answers(self.daemon.address):
                pytest.skip("this containerd does not survive it")
            raise


LOST = "Internal error from Core"
"""What grpc.aio says instead of the daemon's verdict when that overtakes the first message. Asked again, it is told."""

OPTIONS = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)]


def _full(service: str) -> str:
    """``images`` is short for the service of that package, ``sandbox.Store`` for one of several in a package."""
    package, _, name = service.partition(".")
    return service if service.count(".") > 1 else f"containerd.services.{package}.v1.{name or package.capitalize()}"


@pytest.fixture(scope="session")
def moorage() -> Iterator[Wire]:
    with daemons.directory() as base, Daemon(daemons.moorage(), base, namespaces=(NAMESPACE,)) as daemon:
        yield Wire(daemon, containerd=False)


@pytest.fixture(scope="session")
def containerd() -> Iterator[Wire]:
    if not shutil.which("containerd"):
        pytest.skip("containerd is not installed")
    with daemons.directory() as base, Daemon(daemons.containerd(), base, namespaces=(NAMESPACE,)) as daemon:
        yield Wire(daemon, containerd=True)


@pytest.fixture(params=["moorage", "containerd"])
def both(request: pytest.FixtureRequest) -> Any:
    """Each test runs against both: what is asserted is containerd's own behaviour."""
    return request.getfixturevalue(request.param)


class Scene:
    """Calls that are made of a daemon, in namespaces of their own, and what each got.

    Everything is asked for with a lease, so that no collection takes what the scene is about; ``lease=""`` is none.
    """

    def __init__(self, client: Client, name: str, peer: tuple[int, ...], places: Mapping[str, str]) -> None:
        self.client, self.name, self.peer = client, name, peer
        self.namespace = f"{re.sub('[^a-z0-9]+', '-', name)[:40].strip('-')}-{zlib.crc32(name.encode()):x}"
        self.transcript = Transcript(places)
        self.heard: list[types.Envelope] = []
        self.passed_over = ["/scene/"] if self.knows(2) else ["/scene/", "/content/"]
        """Topics, by how they begin, that are not compared; of content, containerd 1 tells nothing."""

    def knows(self, *version: int) -> bool:
        """Whether the containerd that we are compared with is of this version at least."""
        return self.peer >= version

    async def __call__(
        self, service: str, method: str, note: str = "", /, ns: str | None = None, lease: str = "scene", **fields: Any
    ) -> Any:
        """The answer, or None for an error. ``note`` tells calls of one method apart."""
        name = f"{method}({note})"
        namespace = self.namespace if ns is None else ns
        known = methods.service(_full(service)).methods[method]
        try:
            got = await self.client.ask(service, method, fields, namespace=namespace, lease=lease if namespace else "")
        except errors.Error as error:
            self.transcript.refused(name, error)
            return None
        self.transcript.answered(name, *(got if known.server_streaming else [got]))
        return got

    async def talk(
        self,
        service: str,
        method: str,
        note: str,
        *requests: Message,
        ns: str | None = None,
        lease: str = "scene",
        patience: float = 10,
    ) -> list[Any]:
        """Requests of a stream one by one, each with the answer to it. Ends with the first error.

        ``patience`` is how many seconds a stream may take to be over, which some are not before they are cancelled.
        """
        headers = [("containerd-namespace", self.namespace if ns is None else ns), ("containerd-lease", lease)]
        answers: list[Any] = []
        named = [pair for pair in headers if pair[1]]
        async with self.client.stub(service).open(method, metadata=named, timeout=patience) as stream:
            for number, request in enumerate(requests):
                name = f"{method}({note} {number})"
                try:
                    await stream.send(request)
                    answers.append(await stream.receive())
                except errors.Error as error:
                    if number == 0 and LOST in str(error):
                        break
                    self.transcript.refused(name, error)
                    return answers
                self.transcript.answered(name, *answers[-1:])
            else:
                await self._over(stream)
                return answers
        return await self.talk(service, method, note, *requests, ns=ns, lease=lease, patience=patience)

    async def hear(self, topic: str, times: int = 1) -> None:
        """Wait for an event that comes when it comes, so that those after it are after it."""
        async with asyncio.timeout(30):
            while sum(each.topic == topic for each in self.heard) < times:
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        """What is heard from now on is not compared: a scene may tidy up behind itself."""
        await self._knock("/scene/ends")
        await self.hear("/scene/ends")

    async def _knock(self, topic: str) -> None:
        publication = {"topic": topic, "event": {"type_url": "t"}}
        await self.client.ask("events", "Publish", publication, namespace=self.namespace)

    async def _over(self, stream: Any) -> None:
        """Let the daemon end the stream, so that whatever it held is free."""
        with suppress(errors.Error):
            await stream.done_sending()
            while await stream.receive() is not None:
                pass

    @asynccontextmanager
    async def events(self) -> AsyncIterator[None]:
        """What is published in the scene's namespaces meanwhile, as steps at the end of it."""
        stub = self.client.stub("events")
        pattern = f'namespace~="^{self.namespace}"'
        request = stub.service.methods["Subscribe"].request(filters=[pattern])
        heard = self.heard

        async def listen() -> None:
            async for envelope in stub.receive("Subscribe", request):
                heard.append(envelope)

        listening = asyncio.create_task(listen())
        try:
            async with asyncio.timeout(60):
                while not heard:  # containerd does not say when a subscription stands
                    await self._knock("/scene/begins")
                    await asyncio.sleep(0.02)
                yield
                await self.end()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        topics = [envelope.topic for envelope in heard]
        for envelope in heard[: topics.index("/scene/ends")]:
            if not envelope.topic.startswith(tuple(self.passed_over)):
                self.transcript.noted(f"event {envelope.topic}", envelope)


@dataclass
class Comparison:
    """Runs scenes against both daemons and compares what they got, but for what ``differences.toml`` knows."""

    ours: Wire
    theirs: Wire
    peer: tuple[int, ...]
    name: str
    differences: Differences
    table: list[Known] = field(default_factory=list)

    def __call__(self, play: Callable[[Scene], Awaitable[None]], since: tuple[int, ...] = ()) -> None:
        if self.peer < since:
            pytest.skip(f"containerd {'.'.join(map(str, self.peer))} does not know it")
        heard = [self._record(wire, play) for wire in (self.theirs, self.ours)]
        assert heard[0].steps, "a scene in which nothing is said"
        found = transcripts.differences(heard[0].steps, heard[1].steps)
        strange = [f"differs: {each}" for each in transcripts.unexplained(found, self.table)]
        assert not strange, "\n".join(strange)
        self.differences.played(self.name, self.table, transcripts.needed(found, self.table))

    def _record(self, wire: Wire, play: Callable[[Scene], Awaitable[None]]) -> Transcript:
        daemon = wire.daemon
        if not daemons.answers(daemon.address):
            daemon.start()  # what another scene did to it is told there
        places = {str(daemon.root): "<root>", str(daemon.state): "<state>", daemon.address: "<address>"}
        scenes: list[Scene] = []

        async def talk(client: Client) -> None:
            scene = Scene(client, self.name, self.peer, places)
            scenes.append(scene)
            daemon.namespaces |= {scene.namespace}  # so that what runc leaves of it goes with the daemon
            await client.verdict("leases", "Create", {"id": "scene"}, namespace=scene.namespace)
            async with scene.events():
                await play(scene)

        wire.run(talk)
        return scenes[0].transcript


@dataclass
class Differences:
    """The table, and which of its lines were of use. One about several scenes has to be of use in one of them."""

    table: list[Known]
    scenes: Counter[Known] = field(default_factory=Counter)
    useful: set[Known] = field(default_factory=set)

    def about(self, scene: str, peer: tuple[int, ...]) -> list[Known]:
        version = ".".join(map(str, peer))
        return [each for each in self.table if fnmatchcase(scene, each.scene) and fnmatchcase(version, each.peer)]

    def played(self, scene: str, lines: Iterable[Known], useful: set[Known]) -> None:
        self.scenes.update(lines)
        self.useful |= useful
        stale = [known for known in lines if known not in useful and not _several(known)]
        assert not stale, "\n".join(f"no longer so: {known}" for known in stale)

    def over(self) -> None:
        # Who runs one scene alone is not told about lines that others need.
        stale = [known for known, scenes in self.scenes.items() if known not in self.useful and scenes > ENOUGH]
        assert not stale, "\n".join(f"no longer so: {known}" for known in stale)


ENOUGH = 4


def _several(known: Known) -> bool:
    return "*" in known.scene


@pytest.fixture(scope="session")
def known() -> Iterator[Differences]:
    lines = tomllib.loads(Path(__file__).with_name("differences.toml").read_text())["known"]
    table = Differences([Known(**{"peer": "*", **line}) for line in lines])
    yield table
    table.over()


@pytest.fixture(scope="session")
def peer(containerd: Wire) -> tuple[int, ...]:
    """The version of the containerd that we are compared with."""
    said: list[str] = []

    async def talk(client: Client) -> None:
        said.append((await client.ask("version", "Version")).version)

    containerd.run(talk)
    found = re.search(r"(\d+)\.(\d+)", said[0])
    # A build from a checkout may not know its version; the services it has are those of the newest.
    return tuple(map(int, found.groups())) if found else (2, 3)


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of a container that holds busybox and a shell."""
    busybox = Path("/bin/busybox")
    if not (shutil.which("runc") and busybox.exists()):
        pytest.skip("needs runc and busybox")
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "rootfs" / "bin").mkdir(parents=True)
    shutil.copy(busybox, folder / "rootfs" / "bin" / "busybox")
    (folder / "rootfs" / "bin" / "sh").symlink_to("busybox")
    subprocess.run(["runc", "spec"], cwd=folder, check=True)
    made: dict[str, Any] = json.loads((folder / "config.json").read_text())
    made["root"] = {"path": str(folder / "rootfs"), "readonly": True}
    made["process"]["terminal"] = False
    return made


@pytest.fixture
def same(
    request: pytest.FixtureRequest, moorage: Wire, containerd: Wire, peer: tuple[int, ...], known: Differences
) -> Comparison:
    """Plays a scene on both daemons. A scene is called after its file and its test: ``images.create``."""
    name = f"{request.path.stem.removeprefix('test_same_')}.{request.node.name.removeprefix('test_')}"
    return Comparison(moorage, containerd, peer, name, known, known.about(name, peer))
