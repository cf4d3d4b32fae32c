"""SIGKILL of the node monitor, the daemon, or both, while containers write, sit at terminals and end.

None dies, no byte of their output is missing, and every status is right. Every container has a story that it tells by
its output: counted lines, and at the end how many they were.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
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
from moorage_testkit.daemons import Daemon
from moorage_testkit.worlds import verify_world

WRITE = """
trap 'echo "end $i"; exit $((i % 100 + 1))' TERM
i=0
while :; do
    n=0
    while [ $n -lt 20 ]; do n=$((n+1)); i=$((i+1)); echo "line $i"; done
    sleep 0.01
done
"""
SECONDS = 60


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

    async def ask(self, call: Callable[[Client], Awaitable[Any]]) -> Any:
        """The answer, from whichever daemon gives it."""
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    async with connect(self.daemon.address, self.namespace) as client:
                        return await call(client)
                except errors.Unavailable:
                    await asyncio.sleep(0.05)

    async def run(self, id: str, script: str, *, terminal: bool = False) -> int:
        """Start a container and return its pid."""
        output = self.outputs[id] = Output(self.folder / id)
        stdio = Stdio(stdout=str(self.folder / id), terminal=terminal)
        record = Container(
            id, Runtime("io.containerd.runc.v2"), spec=containers.spec_payload(self._spec(id, script, terminal))
        )
        assert output is not None
        async with connect(self.daemon.address, self.namespace) as client:
            await client.containers.create(record)
            await client.tasks.create(id, stdio=stdio)
            return await client.tasks.start(id)

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

    async def remove(self, id: str) -> None:
        await self.ask(lambda client: client.tasks.delete(id))
        await self.ask(lambda client: client.containers.delete(id))
        self.outputs[id].close()

    async def finish(self, id: str) -> None:
        """Tell a writer to end, and hold its story against what was read and said."""
        await self.ask(lambda client: client.tasks.kill(id, signal.SIGTERM))
        exited = await self.ask(lambda client: client.tasks.wait(id))
        await self.remove(id)
        lines = self.outputs[id].lines()
        count = len(lines) - 1
        assert lines == [*(f"line {number}" for number in range(1, count + 1)), f"end {count}"], id
        assert exited.status == count % 100 + 1

    async def end_by_itself(self, id: str, chance: random.Random) -> None:
        """A short life, whose end may come at any moment."""
        status = chance.randrange(1, 120)
        await self.run(id, f"sleep {chance.uniform(0, 1.5):.2f}; echo bye; exit {status}")
        exited = await self.ask(lambda client: client.tasks.wait(id))
        assert exited.status == status, id
        await self.remove(id)
        assert self.outputs[id].lines() == ["bye"]

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
        self.took.append(time.monotonic() - began)

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
        for id in ids:
            with suppress(errors.NotFound):
                await self.ask(lambda client, id=id: client.tasks.get(id))  # type: ignore[misc]


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


def test_kills_of_the_monitor(node: Node, chance: random.Random, full: bool) -> None:
    """Adoption is printed: the aim is 2 s for 100 containers."""
    count, kills = (100, 10) if full else (10, 3)

    async def work() -> None:
        writers = [f"w{number}" for number in range(count * 3 // 5)]
        pids = {}
        for number, id in enumerate(writers):
            pids[id] = await node.run(id, WRITE, terminal=number % 2 == 1)
        for turn in range(kills):
            ends = [f"e{turn}n{number}" for number in range(count * 2 // 5)]
            ending = [asyncio.create_task(node.end_by_itself(id, chance)) for id in ends]
            await asyncio.sleep(chance.uniform(0.5, 1.5))
            await node.kill_monitor()
            await asyncio.gather(*ending)
        for id, pid in pids.items():
            found = await node.ask(lambda client, id=id: client.tasks.get(id))  # type: ignore[misc]
            assert (found.pid, found.status) == (pid, Status.RUNNING)
        await asyncio.gather(*map(node.finish, writers))

    play(node, work())
    print("adopted after", [f"{each:.2f}" for each in node.took])
    assert max(Counter(node.exits).values()) == 1
    assert {id for id, _ in node.exits} == set(node.outputs)
    verify_world(node.daemon.world).assert_clean()
