"""SIGKILL of the node monitor, the daemon, or both, while containers write, sit at terminals and end.

None dies, no byte of their output is missing, and every status is right. Every container has a story that it tells by
its output: counted lines, and at the end how many they were.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from moorage_client import containers, events
from moorage_client.clients import Client, connect
from moorage_sdk import errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.tasks import Status, Stdio
from moorage_sys import pidfds
from moorage_testkit import kernels
from moorage_testkit.daemons import Daemon, moorage
from moorage_testkit.worlds import verify_world
from moorage_ttrpc import blocking

WRITE = """
trap 'echo "end $i"; exit $((i % 100 + 1))' TERM
i=0
while :; do
    n=0
    while [ $n -lt 20 ]; do n=$((n+1)); i=$((i+1)); echo "line $i"; done
    sleep {pause}
done
"""
SECONDS = 60

ENDING = 10
"""Containers that end around one kill, at most."""
MONITOR = "moorage.monitor.v1.Monitor"

Kill = Callable[[], Awaitable[None]]


class Output:
    """Reads a FIFO to its end, as fast as it comes."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        self.data = bytearray()
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            self.data += os.read(self._fd, 1 << 16)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        self._read()
        os.close(self._fd)

    def lines(self) -> list[str]:
        return self.data.decode("ascii").replace("\r", "").splitlines()


class Node:
    """A daemon, a client of it that comes back, and the containers of a test."""

    def __init__(self, daemon: Daemon, namespace: str, rootfs: Path, folder: Path) -> None:
        self.daemon, self.namespace, self.rootfs, self.folder = daemon, namespace, rootfs, folder
        self.outputs: dict[str, Output] = {}
        self.exits: list[tuple[str, int]] = []
        self.took: list[float] = []
        self.upgrades: list[int] = []
        self.unseen = 0

    async def ask(self, call: Callable[[Client], Awaitable[Any]]) -> Any:
        """The answer, from whichever daemon gives it."""
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    async with connect(self.daemon.address, self.namespace) as client:
                        return await call(client)
                except (errors.Unavailable, errors.DeadlineExceeded):  # it is looked for still
                    await asyncio.sleep(0.05)

    async def run(self, id: str, script: str, *, terminal: bool = False) -> int:
        """Start a container and return its pid."""
        stdio, spec = self._stdio(id, terminal), self._spec(id, script, terminal)
        record = Container(id, Runtime("io.containerd.runc.v2"), spec=containers.spec_payload(spec))
        async with connect(self.daemon.address, self.namespace) as client:
            await client.containers.create(record)
            await client.tasks.create(id, stdio=stdio)
            return await client.tasks.start(id)

    async def exec(self, id: str, exec_id: str, script: str, *, terminal: bool = False) -> None:
        """Start one more process in a container; its output is that of ``exec_id``."""
        stdio, process = self._stdio(exec_id, terminal), self._spec(id, script, terminal)["process"]
        async with connect(self.daemon.address, self.namespace) as client:
            await client.tasks.exec(id, exec_id, process, stdio)
            await client.tasks.start(id, exec_id)

    def _stdio(self, name: str, terminal: bool) -> Stdio:
        self.outputs[name] = Output(self.folder / name)
        return Stdio(stdout=str(self.folder / name), terminal=terminal)

    def _spec(self, id: str, script: str, terminal: bool) -> dict[str, Any]:
        kinds = ("pid", "ipc", "uts", "mount", "network")
        return {
            "ociVersion": "1.0.2",
            "process": {
                "args": ["/bin/busybox", "sh", "-c", script],
                "cwd": "/",
                "env": ["PATH=/bin"],
                "user": {"uid": 0, "gid": 0},
                "terminal": terminal,
            },
            "root": {"path": str(self.rootfs), "readonly": True},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                {
                    "destination": "/dev/pts",
                    "type": "devpts",
                    "source": "devpts",
                    "options": ["newinstance", "ptmxmode=0666"],
                },
            ],
            "linux": {"namespaces": [{"type": kind} for kind in kinds], "cgroupsPath": f"/{self.namespace}/{id}"},
        }

    async def finish(self, id: str, exec_id: str = "") -> None:
        """Tell a writer to end, and hold its story against what was read and said."""
        await self.ask(lambda client: client.tasks.kill(id, signal.SIGTERM, exec_id=exec_id))
        exited = await self.ask(lambda client: client.tasks.wait(id, exec_id))
        await self._remove(id, exec_id)
        lines = self.outputs[exec_id or id].lines()
        count = len(lines) - 1
        assert lines == [*(f"line {number}" for number in range(1, count + 1)), f"end {count}"], exec_id or id
        assert exited.status == count % 100 + 1

    async def _remove(self, id: str, exec_id: str = "") -> None:
        if exec_id:
            await self.ask(lambda client: client.tasks.delete_process(id, exec_id))
        else:
            await self.ask(lambda client: client.tasks.delete(id))
            await self.ask(lambda client: client.containers.delete(id))
        self.outputs[exec_id or id].close()

    async def begin_short(self, id: str, chance: random.Random, terminal: bool) -> int:
        """A life whose end may come at any moment of the next seconds. Returns the status that it will have."""
        status = chance.randrange(1, 120)
        await self.run(id, f"sleep {chance.uniform(0, 1.2):.2f}; echo bye; exit {status}", terminal=terminal)
        return status

    async def end_short(self, id: str, *statuses: int) -> None:
        """It ends with one of these."""
        exited = await self.ask(lambda client: client.tasks.wait(id))
        assert exited.status in statuses, id
        self.unseen += exited.status != statuses[0]
        await self._remove(id)
        assert self.outputs[id].lines() == ["bye"], id

    async def watch(self) -> None:
        """Take note of all exits, until cancelled."""
        while True:
            with suppress(errors.Unavailable):
                async with connect(self.daemon.address, self.namespace) as client:
                    async for envelope in client.events.subscribe(['topic=="/tasks/exit"']):
                        told = events.fields(envelope.event)
                        self.exits.append((told["id"], told["exit_status"]))
            await asyncio.sleep(0.05)

    # Killing.

    def monitor(self) -> int:
        """The monitor's pid, 0 if there is none."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = path.read_bytes().decode("utf-8", "replace").split("\0")
                if "moorage_runtime_runc.monitor" in words and any(w.startswith(str(self.daemon.state)) for w in words):
                    return int(path.parent.name)
        return 0

    async def kill_monitor(self) -> None:
        """And wait until another has taken over."""
        pid = self.monitor()
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        await self._until_another(pid)
        self.took.append(round(time.monotonic() - began, 2))

    async def upgrade_monitor(self) -> None:
        """As often as it takes: it is refused while the runtime has too much to do."""
        pid, socket = self.monitor(), next(Path(self.daemon.state).rglob("monitor.sock"))
        for _ in range(20):
            try:
                await asyncio.to_thread(blocking.call, socket, MONITOR, "Upgrade", b"")
                break
            except errors.Unavailable:
                continue
        said = json.loads(await asyncio.to_thread(blocking.call, socket, MONITOR, "Info", b""))
        self.upgrades.append(said["upgrades"])
        assert self.monitor() == said["pid"] == pid

    async def kill_daemon(self) -> None:
        self.daemon.kill()
        await asyncio.to_thread(self.daemon.start)

    async def kill_both(self) -> None:
        pid = self.monitor()
        os.kill(pid, signal.SIGKILL)
        self.daemon.kill()
        await asyncio.to_thread(self.daemon.start)
        await self._until_another(pid)

    async def _until_another(self, pid: int) -> None:
        ids = list(self.outputs)
        async with asyncio.timeout(SECONDS):
            while self.monitor() in (0, pid):
                await asyncio.sleep(0.01)

        async def ask_all(client: Client) -> None:
            for id in ids:
                with suppress(errors.NotFound):
                    await client.tasks.get(id)

        await self.ask(ask_all)


@pytest.fixture
def namespace() -> str:
    """Of this run alone: runs beside it have containers of the same names, and runc's state goes by both."""
    return f"monitors-{os.getpid()}"


@pytest.fixture
def daemon(base: Path, namespace: str) -> Iterator[Daemon]:
    with Daemon(moorage(), base, namespaces=[namespace]) as daemon:
        yield daemon


@pytest.fixture
def rootfs(base: Path) -> Path:
    rootfs = base / "rootfs"
    for each in ("bin", "proc", "dev", "sys"):
        (rootfs / each).mkdir(parents=True)
    shutil.copy2(shutil.which("busybox") or "busybox", rootfs / "bin" / "busybox")
    for applet in ("sh", "sleep", "echo", "cat"):
        (rootfs / "bin" / applet).symlink_to("busybox")
    return rootfs


@pytest.fixture
def node(daemon: Daemon, namespace: str, rootfs: Path, base: Path) -> Iterator[Node]:
    if not pidfds.has_exit_info():
        pytest.skip("needs Linux 6.15: the exit status of a process that is nobody's child")
    folder = base / "fifos"
    folder.mkdir()
    yield Node(daemon, namespace, rootfs, folder)


def play(node: Node, work: Awaitable[None]) -> None:
    async def main() -> None:
        watching = asyncio.create_task(node.watch())
        await asyncio.sleep(0.2)
        try:
            await work
            await asyncio.sleep(0.5)
        finally:
            watching.cancel()

    asyncio.run(main())


async def story(node: Node, chance: random.Random, count: int, kills: Sequence[Kill], *unseen: int) -> None:
    """Writers that live through all kills, with and without terminals, and at each kill some that end just then.

    With ``unseen``, statuses of what ends while nobody lives to see it, there are no terminals and no execs.
    """
    terminals = not unseen
    writers = [f"w{number}" for number in range(count - min(count * 2 // 5, ENDING))]
    # Every pause is a process, and all of them together are not to be more than the machine can start.
    write = WRITE.replace("{pause}", f"{count / 200:.2f}")
    running = (node.run(id, write, terminal=terminals and id[-1] in "13579") for id in writers)
    pids = dict(zip(writers, await asyncio.gather(*running), strict=True))
    execs = [(writers[number], f"x{number}") for number in range(2 if terminals else 0)]
    for id, exec_id in execs:
        await node.exec(id, exec_id, write, terminal=exec_id == "x1")
    for turn, kill in enumerate(kills):
        ids = [f"e{turn}n{number}" for number in range(min(count * 2 // 5, ENDING))]
        short = await asyncio.gather(*(node.begin_short(id, chance, terminals and id[-1] in "02468") for id in ids))
        await asyncio.sleep(chance.uniform(0, 1))
        await kill()
        print(f"kill {turn + 1} of {len(kills)}, adopted after {node.took[-1:]}", flush=True)
        await asyncio.gather(*(node.end_short(id, status, *unseen) for id, status in zip(ids, short, strict=True)))
    for id, pid in pids.items():
        found = await node.ask(lambda client, id=id: client.tasks.get(id))  # type: ignore[misc]
        assert (found.pid, found.status) == (pid, Status.RUNNING)
    await asyncio.gather(*(node.finish(*each) for each in execs))
    await asyncio.gather(*map(node.finish, writers))


def check_world(node: Node) -> None:
    verify_world(node.daemon.world).assert_clean()


def test_kills_of_the_monitor(node: Node, chance: random.Random, full: bool) -> None:
    """How long adoption took is printed: the aim is 2 s for 100 containers."""
    count, kills = (100, 10) if full else (10, 3)
    play(node, story(node, chance, count, [node.kill_monitor] * kills))
    assert max(Counter(node.exits).values()) == 1
    assert {id for id, _ in node.exits} == set(node.outputs)
    check_world(node)


@pytest.mark.full
def test_upgrades_of_the_monitor(node: Node, chance: random.Random, full: bool) -> None:
    count, times = (50, 10) if full else (10, 3)
    play(node, story(node, chance, count, [node.upgrade_monitor] * times))
    assert node.upgrades == list(range(1, times + 1))
    assert max(Counter(node.exits).values()) == 1
    assert {id for id, _ in node.exits} == set(node.outputs)
    assert "disconnected" not in node.daemon.log.read_text()
    check_world(node)


@pytest.mark.full
def test_kills_of_either_in_turn(node: Node, chance: random.Random, full: bool) -> None:
    count, kills = (100, 100) if full else (10, 6)
    play(node, story(node, chance, count, [node.kill_monitor, node.kill_daemon] * (kills // 2)))
    missed = set(node.outputs) - {id for id, _ in node.exits}
    print(f"exits that a subscriber missed while it had no daemon: {len(missed)} of {len(node.outputs)}")
    assert max(Counter(node.exits).values()) == 1
    check_world(node)


def test_kills_of_both_at_once(node: Node, chance: random.Random, full: bool) -> None:
    """What ended while neither lived is told as 255, with the reason in the log."""
    count, kills = (100, 20) if full else (5, 1)
    play(node, story(node, chance, count, [node.kill_both] * kills, 255))
    said = "".join(path.read_text() for path in node.daemon.state.rglob("monitor.log"))
    assert said.count("its status is told as 255") == node.unseen
    check_world(node)


@pytest.mark.skipif(not kernels.supported(), reason="needs a machine whose calls are known")
def test_kills_of_the_monitor_on_an_old_kernel(
    base: Path, namespace: str, rootfs: Path, chance: random.Random, full: bool
) -> None:
    """Where no pidfd tells how its process ended the daemon is the parent of what the monitor leaves."""
    with Daemon(kernels.without_exit_info(moorage()), base, namespaces=[namespace]) as daemon:
        (base / "fifos").mkdir()
        node = Node(daemon, namespace, rootfs, base / "fifos")
        play(node, story(node, chance, 50 if full else 5, [node.kill_monitor] * (10 if full else 2)))
        assert daemon.log.read_text().count("does not tell how a foreign process ended") == 1
        check_world(node)
