"""SIGKILL of the monitor and of the daemon while the monitor writes logs and somebody sits at a terminal: every line is
there, and once, and every key arrives.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from moorage_client import containers
from moorage_client.clients import connect
from moorage_sdk import errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.mounts import Mount
from moorage_sdk.tasks import Status, Stdio
from moorage_sys import mounts, pidfds
from moorage_testkit import daemons
from moorage_testkit.daemons import Daemon, wait_until

COUNT = """
trap 'echo "end $i"; exit 0' TERM
i=0
while :; do
    n=0
    while [ $n -lt 20 ]; do n=$((n+1)); i=$((i+1)); echo "line $i"; done
    echo "same" >&2
    sleep 0.01
done
"""
RUNTIME = Runtime("io.containerd.runc.v2")


class Scene:
    """A daemon with containers that are run without an image."""

    def __init__(self, daemon: Daemon, namespace: str, rootfs: Path) -> None:
        self.daemon, self.namespace, self.rootfs = daemon, namespace, rootfs

    async def start(self, id: str, script: str, uri: str, *, stdin: str = "", terminal: bool = False) -> None:
        record = Container(id, RUNTIME, spec=containers.spec_payload(self._spec(id, script, terminal)))
        async with connect(self.daemon.address, self.namespace) as client:
            await client.containers.create(record)
            await client.tasks.create(id, stdio=Stdio(stdin, uri, terminal=terminal))
            await client.tasks.start(id)

    async def exec(self, id: str, exec_id: str, script: str, stdio: Stdio) -> None:
        async with connect(self.daemon.address, self.namespace) as client:
            await client.tasks.exec(id, exec_id, process(script, stdio.terminal), stdio)
            await client.tasks.start(id, exec_id)

    def _spec(self, id: str, script: str, terminal: bool) -> dict[str, Any]:
        return {
            "ociVersion": "1.0.2",
            "process": process(script, terminal),
            "root": {"path": str(self.rootfs), "readonly": True},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
                {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance"]},
            ],
            "linux": {
                "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")],
                "cgroupsPath": f"/{self.namespace}/{id}",
            },
        }

    async def finish(self, *ids: str, number: int = signal.SIGTERM) -> None:
        async with connect(self.daemon.address, self.namespace) as client:
            for id in ids:
                await client.tasks.kill(id, number)
                await client.tasks.wait(id)
                await client.tasks.delete(id)
                await client.containers.delete(id)

    def monitor(self) -> int:
        """Its pid, 0 if there is none."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                line = path.read_bytes()
                if b"moorage_runtime_runc.monitor" in line and os.fsencode(self.daemon.state) in line:
                    return int(path.parent.name)
        return 0

    def kill_monitor(self) -> None:
        pid = self.monitor()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.monitor() not in (0, pid), 30)

    async def answers(self, *ids: str) -> None:
        """Whoever was killed is replaced, and has what the other held for it."""
        async with asyncio.timeout(30), connect(self.daemon.address, self.namespace) as client:
            for id in ids:
                assert (await client.tasks.get(id)).status is Status.RUNNING


def process(script: str, terminal: bool) -> dict[str, Any]:
    args = ["/bin/busybox", "sh", "-c", script]
    return {"args": args, "cwd": "/", "env": ["PATH=/bin"], "terminal": terminal, "user": {"uid": 0, "gid": 0}}


@pytest.fixture
def rootfs(base: Path) -> Path:
    rootfs = base / "rootfs"
    for each in ("bin", "proc", "dev", "sys"):
        (rootfs / each).mkdir(parents=True)
    shutil.copy2(shutil.which("busybox") or "busybox", rootfs / "bin" / "busybox")
    for applet in ("sh", "sleep", "echo", "head", "tr", "stty"):
        (rootfs / "bin" / applet).symlink_to("busybox")
    return rootfs


@pytest.fixture
def scene(daemon: Daemon, namespace: str, rootfs: Path) -> Scene:
    return Scene(daemon, namespace, rootfs)


def story(lines: list[str]) -> None:
    """Everything that ``COUNT`` has to tell, once and in order."""
    count = len(lines) - 1
    assert lines == [*(f"line {number}" for number in range(1, count + 1)), f"end {count}"]
    assert count > 100


@pytest.mark.skipif(not pidfds.has_exit_info(), reason="needs Linux 6.15: a monitor that can be replaced in time")
def test_kills(scene: Scene, base: Path, chance: random.Random, full: bool) -> None:
    one, two, three = (base / "logs" / each for each in ("one", "two", "three"))

    alone = COUNT.replace('echo "same" >&2', "")

    async def begin() -> None:
        await scene.start("one", COUNT, f"cri-log://{one}")
        await scene.start("two", alone, f"cri-log://{two}?max_line=8", terminal=True)
        await scene.start("three", alone, f"file://{three}", terminal=True)

    asyncio.run(begin())
    for turn in range(30 if full else 3):
        asyncio.run(asyncio.sleep(chance.uniform(0.1, 0.6)))
        if turn % 3 == 1:
            scene.daemon.kill()
            scene.daemon.start()
        else:
            scene.kill_monitor()
        asyncio.run(scene.answers("one", "two", "three"))
    asyncio.run(scene.finish("one", "two", "three"))
    entries = [line.split(" ", 3) for line in one.read_text().splitlines()]
    story([text for _, name, _, text in entries if name == "stdout"])
    said = [text for _, name, _, text in entries if name == "stderr"]
    assert set(said) == {"same"} and abs(len(said) - len(entries) // 21) <= 1
    story(three.read_text().splitlines())
    parts = [line.split(" ", 3) for line in two.read_text().splitlines()]
    assert {kind for _, _, kind, _ in parts} == {"P", "F"}
    story("".join(text if kind == "P" else text + "\n" for _, _, kind, text in parts).splitlines())


class Reader(threading.Thread):
    """Takes what comes from a FIFO, whoever writes to it, until it is asked for all."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._data = bytearray()
        self._asked = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._read() or not self._asked.wait(0.01):
            pass

    def _read(self) -> bool:
        """Whether there is nothing any more."""
        with suppress(BlockingIOError):
            data = os.read(self._fd, 1 << 16)
            self._data += data
            return not data
        return True

    def all(self) -> bytes:
        self._asked.set()
        self.join(20)
        os.close(self._fd)
        return bytes(self._data)


@pytest.mark.full
def test_both_killed_at_once_where_output_is_relayed(
    base: Path, namespace: str, rootfs: Path, chance: random.Random
) -> None:
    """Nobody has the other end of the pipes then but init itself. Who reads the FIFO meets an end that is none, and
    what was on its way into a log may be lost with us.
    """
    config = '[plugins."io.containerd.runtime.v1.runc"]\nrelay = true\n'
    out, log = base / "out", base / "log"
    os.mkfifo(out)
    with Daemon(daemons.moorage(config), base, namespaces=[namespace]) as daemon:
        scene, reader = Scene(daemon, namespace, rootfs), Reader(out)
        asyncio.run(scene.start("one", COUNT, str(out)))
        asyncio.run(scene.start("two", COUNT, f"cri-log://{log}"))
        asyncio.run(asyncio.sleep(chance.uniform(0.3, 0.6)))
        os.kill(scene.monitor(), signal.SIGKILL)
        daemon.kill()
        asyncio.run(asyncio.sleep(0.3))
        daemon.start()
        asyncio.run(scene.answers("one", "two"))
        asyncio.run(asyncio.sleep(0.3))
        asyncio.run(scene.finish("one", "two"))
        story(reader.all().decode().splitlines())
        entries = [line.split(" ", 3) for line in log.read_text().splitlines()]
        told = [text for _, name, _, text in entries if name == "stdout"]
        assert len(set(told)) == len(told) and told[-1].startswith("end ")


def test_a_full_disk_stops_no_container(scene: Scene, base: Path) -> None:
    disk = base / "disk"
    disk.mkdir()
    mounts.mount(Mount("tmpfs", "tmpfs", ("size=64k",)), disk)
    script = "head -c 300000 /dev/zero | tr '\\0' 'x'; while [ ! -e /dev/go ]; do sleep 0.1; done; echo; echo after"
    try:
        log = disk / "log"
        asyncio.run(scene.start("web", script, f"cri-log://{log}"))
        monitor = scene.daemon.state / "io.containerd.runtime.v1.runc" / "monitor.log"
        wait_until(lambda: "No space left" in monitor.read_text())
        (pid,) = [int(line.split()[1]) for line in tasks(scene) if line.startswith("web ")]
        text = log.read_bytes()
        assert text.endswith(b"\n") and text.count(b" stdout P ") == len(text.splitlines()) > 1
        os.truncate(log, 0)
        Path(f"/proc/{pid}/root/dev/go").touch()
        wait_until(lambda: log.read_bytes().endswith(b" stdout F after\n"))
        assert monitor.read_text().count("No space left") == 1
        assert "bytes that are lost" in monitor.read_text()
        asyncio.run(ended(scene))
    finally:
        mounts.unmount_recursive(disk)


def tasks(scene: Scene) -> list[str]:
    return scene.daemon.ctr("-n", scene.namespace, "task", "ls").stdout.splitlines()


async def ended(scene: Scene) -> None:
    async with connect(scene.daemon.address, scene.namespace) as client:
        assert (await client.tasks.wait("web")).status == 0
        await client.tasks.delete("web")
        await client.containers.delete("web")


def test_a_log_that_leads_elsewhere_is_refused(scene: Scene, base: Path) -> None:
    (base / "link").symlink_to("/etc/passwd")
    os.mkfifo(base / "fifo")

    async def main() -> None:
        for path in ("link", "../log", "fifo"):
            with pytest.raises(errors.InvalidArgument, match=r"not a regular file|in its path"):
                await scene.start("web", "true", f"cri-log://{base}/{path}")
            async with connect(scene.daemon.address, scene.namespace) as client:
                await client.containers.delete("web")

    asyncio.run(main())


TALK = """
echo ready
while read line; do
    case $line in size) stty size;; *) echo "got $line";; esac
done
"""


class Person:
    """Somebody at a terminal, who may leave and come back."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.stdio = Stdio(str(folder / "in"), str(folder / "out"), terminal=True)
        for path in (self.stdio.stdin, self.stdio.stdout):
            os.mkfifo(path, 0o600)
        self.seen = b""
        self.come()

    def come(self) -> None:
        self._screen = os.open(self.stdio.stdout, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._keys = -1

    def leave(self) -> None:
        for fd in (self._screen, self._keys):
            os.close(fd)

    def type(self, text: str) -> None:
        if self._keys < 0:
            self._keys = os.open(self.stdio.stdin, os.O_WRONLY | os.O_CLOEXEC)
        os.write(self._keys, text.encode())

    def expect(self, text: str) -> None:
        """Wait until it stands on the screen, after what was expected before."""

        def there() -> bool:
            with suppress(BlockingIOError):
                self.seen += os.read(self._screen, 1 << 16)
            return text.encode() in self.seen

        wait_until(there, 30)
        self.seen = self.seen.partition(text.encode())[2]


@pytest.mark.skipif(not pidfds.has_exit_info(), reason="needs Linux 6.15: a monitor that can be replaced in time")
@pytest.mark.parametrize("exec_id", ["", "e"])
def test_somebody_at_a_terminal(scene: Scene, base: Path, exec_id: str) -> None:
    """Keys, screen and size survive monitor and daemon; leaving is no end, and the end of input is a hang-up."""
    person = Person(base / "person")
    first = person.stdio if not exec_id else Stdio()
    script = TALK if not exec_id else "while :; do sleep 1; done"

    async def begin() -> None:
        await scene.start("web", script, first.stdout, stdin=first.stdin, terminal=first.terminal)
        if exec_id:
            await scene.exec("web", exec_id, TALK, person.stdio)

    async def resize(width: int, height: int) -> None:
        async with connect(scene.daemon.address, scene.namespace) as client:
            assert (await client.tasks.get("web", exec_id)).stdio == person.stdio
            await client.tasks.resize("web", exec_id, width, height)

    asyncio.run(begin())
    person.expect("ready")
    person.type("one\n")
    person.expect("got one")
    scene.kill_monitor()
    asyncio.run(scene.answers("web"))
    person.type("two\n")
    person.expect("got two")
    asyncio.run(resize(132, 43))
    person.type("size\n")
    person.expect("43 132")
    scene.daemon.restart()
    asyncio.run(scene.answers("web"))
    person.leave()
    person.come()
    person.type("three\n")
    person.expect("got three")
    scene.kill_monitor()
    asyncio.run(scene.answers("web"))
    asyncio.run(resize(80, 24))
    person.type("size\n")
    person.expect("24 80")
    asyncio.run(end_of_input(scene, person, exec_id))


async def end_of_input(scene: Scene, person: Person, exec_id: str) -> None:
    async with connect(scene.daemon.address, scene.namespace) as client:
        await client.tasks.close_stdin("web", exec_id)
        assert (await client.tasks.get("web", exec_id)).status is Status.RUNNING
        person.leave()
        async with asyncio.timeout(20):
            assert (await client.tasks.wait("web", exec_id)).status == (
                129 if exec_id else 0
            )  # hung up; init is not killed by it
        if exec_id:
            await client.tasks.delete_process("web", exec_id)
            await client.tasks.kill("web", signal.SIGKILL)
            await client.tasks.wait("web")
        await client.tasks.delete("web")
        await client.containers.delete("web")
