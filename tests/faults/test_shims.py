"""Shims of other runtimes: containerd's own killed and stopped, and one that means us harm.

The host's shim, and the one that ``MOORAGE_SHIM`` names.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from moorage_api.convert import timestamps, typeurls
from moorage_api.messages import events, ttrpc_events, types
from moorage_client.clients import connect
from moorage_testkit import daemons, leftovers, programs
from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.worlds import verify_world
from moorage_ttrpc import clients

SHIMS = {"host": shutil.which("containerd-shim-runc-v2"), "named": os.environ.get("MOORAGE_SHIM")}


@pytest.fixture(params=SHIMS)
def shim(request: pytest.FixtureRequest) -> str:
    if not (path := SHIMS[request.param]):
        pytest.skip("needs containerd's shim" if request.param == "host" else "needs MOORAGE_SHIM")
    return str(path)


class Runs:
    """Containers of busybox on one daemon, by the runtime that carries them."""

    def __init__(self, daemon: Daemon, namespace: str, image: str) -> None:
        self.daemon, self.namespace, self.image = daemon, namespace, image

    def ctr(self, *words: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return self.daemon.ctr("-n", self.namespace, *words, check=check, timeout=timeout)

    def start(self, id: str, shim: str = "", *options: str, script: str = "while :; do sleep 0.1; done") -> int:
        """Run it in the background; the pid."""
        runtime = ["--runtime", shim] if shim else []
        self.ctr("run", "-d", "--null-io", *runtime, *options, self.image, id, "sh", "-c", script)
        return int(self.tasks()[id][0])

    def tasks(self) -> dict[str, tuple[str, str]]:
        """Pid and status by id."""
        lines = [line.split() for line in self.ctr("tasks", "ls").stdout.splitlines()[1:]]
        return {id: (pid, status) for id, pid, status in lines}

    def shims(self, id: str) -> list[int]:
        """Those whose command line is about it."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode("utf-8", "replace").split("\0")
            except OSError:
                continue
            if "containerd-shim" in words[0] and self.daemon.address in words and id in words:
                found.append(int(path.parent.name))
        return found

    def remove(self, *ids: str) -> None:
        for id in ids:
            self.ctr("tasks", "rm", "-f", id)
            self.ctr("containers", "rm", id)

    def bundle(self, id: str) -> Path:
        return self.daemon.state / "io.containerd.runtime.v2.task" / self.namespace / id


@pytest.fixture
def namespace() -> str:
    """Of this run alone: daemons share the states of runc, which go by namespace and id."""
    return f"faults-shims-{os.getpid()}"


@pytest.fixture
def daemon(base: Path, namespace: str) -> Iterator[Daemon]:
    with Daemon(daemons.moorage(), base, namespaces=[namespace]) as daemon:
        yield daemon


@pytest.fixture
def busybox(daemon: Daemon, namespace: str, archive: Path) -> str:
    daemon.ctr("-n", namespace, "images", "import", str(archive))
    return daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.strip()


@pytest.fixture
def runs(daemon: Daemon, namespace: str, busybox: str) -> Runs:
    return Runs(daemon, namespace, busybox)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_they_outlive_the_daemon_and_their_log_is_read_again(runs: Runs, shim: str) -> None:
    runs.start("alone", shim)
    for id in ("one", "other"):
        runs.start(id, shim, "--annotation", "io.containerd.runc.v2.group=both")
    before, (carrier,) = runs.tasks(), runs.shims("one")
    for end in (runs.daemon.kill, runs.daemon.terminate):
        end()
        runs.daemon.start()
        assert runs.tasks() == before
        for id in before:
            with open(runs.bundle(id) / "log", "w") as log:  # without a reader this would wait for ever
                log.write(f"{id} after {end.__name__}\n")
        wait_until(lambda end=end: all(f"{id} after {end.__name__}" in runs.daemon.tail(100_000) for id in before))  # type: ignore[misc]
    assert runs.ctr("tasks", "exec", "--exec-id", "e", "other", "echo", "still here").stdout == "still here\n"
    assert runs.shims("one") == [carrier] and runs.shims("other") == []
    runs.remove("one")
    assert runs.shims("one") == [carrier]
    runs.remove("other", "alone")
    wait_until(lambda: not leftovers.runs(carrier))
    verify_world(runs.daemon.world).assert_clean()


def test_one_that_died_while_no_daemon_ran_is_cleared_up(runs: Runs, shim: str) -> None:
    pid, kept = runs.start("dead", shim), runs.start("kept", shim)
    (carrier,) = runs.shims("dead")
    runs.daemon.kill()
    os.kill(carrier, signal.SIGKILL)
    runs.daemon.start()
    wait_until(lambda: list(runs.tasks()) == ["kept"])
    wait_until(lambda: not leftovers.runs(pid) and not runs.bundle("dead").exists())
    assert runs.tasks()["kept"] == (str(kept), "RUNNING")
    runs.ctr("containers", "rm", "dead")
    runs.remove("kept")
    verify_world(runs.daemon.world).assert_clean()


def test_a_stopped_shim_holds_up_nobody(runs: Runs, shim: str) -> None:
    """Its own state is not known for as long, which takes two seconds to say."""
    runs.start("stuck", shim)
    other = runs.start("other", shim)
    ours = runs.start("ours")
    (carrier,) = runs.shims("stuck")
    with stopped(carrier):
        began = time.monotonic()
        assert runs.tasks() == {
            "stuck": ("0", "UNKNOWN"),
            "other": (str(other), "RUNNING"),
            "ours": (str(ours), "RUNNING"),
        }
        listed = time.monotonic() - began
        assert runs.ctr("tasks", "exec", "--exec-id", "e", "other", "echo", "hi").stdout == "hi\n"
        runs.remove("ours")
        assert listed < 10, f"{listed:.1f} s to list, of which two may be waiting"
    assert runs.tasks()["stuck"][1] == "RUNNING"
    runs.remove("stuck", "other")
    verify_world(runs.daemon.world).assert_clean()


def test_the_tasks_of_a_containerd_are_taken_over(runs: Runs, base: Path, archive: Path, namespace: str) -> None:
    """Whoever installs us in its place keeps what runs; it goes on in the shims that carry it."""
    if not shutil.which("containerd"):
        pytest.skip("needs containerd")
    runs.daemon.terminate()
    theirs = Daemon(daemons.containerd(), base / "theirs", namespaces=[namespace])
    (base / "theirs").mkdir()
    with theirs:
        theirs.ctr("-n", namespace, "images", "import", str(archive))
        before = Runs(theirs, namespace, runs.image)
        pid = before.start("web")
        theirs.terminate()
        ours = Daemon(daemons.moorage(), base / "theirs", namespaces=[namespace])
        ours.root = base / "root"  # their metadata is for another page
        with ours:
            after = Runs(ours, namespace, runs.image)
            assert leftovers.runs(pid)
            ours.ctr("-n", namespace, "images", "import", str(archive))
            after.ctr("containers", "create", runs.image, "web", "true")
            assert after.tasks() == {"web": (str(pid), "RUNNING")}
            assert after.ctr("tasks", "exec", "--exec-id", "e", "web", "echo", "taken over").stdout == "taken over\n"
            after.remove("web")
            wait_until(lambda: not leftovers.runs(pid))


Tricks = dict[str, tuple[str, str]]
TRICKS: Tricks = {
    "exits": ("exit 7", "exit status 7"),
    "says-nothing": ("exit 0", "not an address"),
    "noise": ("head -c 65536 /dev/urandom", "not an address|not implemented"),
    "endless": ("exec yes", "answer is longer"),
    "another-version": ('echo \'{"version": 9, "address": "unix:///x", "protocol": "ttrpc"}\'', "version 9"),
    "another-protocol": ('echo \'{"version": 3, "address": "unix:///x", "protocol": "soap"}\'', '"soap"'),
    "abstract": ("echo 'unix://@moorage-hostile'", "not the path|not an address"),
    "relative": ("echo 'unix://sock'", "not an absolute path"),
    "nobody": ("echo 'unix:///nonexistent/sock'", "No such file|unavailable"),
}


def test_starts_that_are_none_leave_nothing(runs: Runs, tmp_path: Path) -> None:
    for trick, (script, said) in TRICKS.items():
        path = tmp_path / trick / "containerd-shim-hostile-v1"
        path.parent.mkdir()
        path.write_text(f'#!/bin/sh\ncase "$*" in *delete) exit 0;; esac\n{script}\n')
        path.chmod(0o755)
        failed = runs.ctr("run", "--null-io", "--runtime", str(path), runs.image, trick, "true", check=False)
        assert failed.returncode and re.search(said, failed.stderr), (trick, failed.stderr)
        assert runs.tasks() == {} and not runs.bundle(trick).exists()
        runs.ctr("containers", "rm", trick, check=False)
    assert runs.start("fine")
    runs.remove("fine")
    verify_world(runs.daemon.world).assert_clean()


def frame(stream: int, data: bytes, length: int | None = None) -> bytes:
    """A response of ttrpc, with a length of one's own choosing."""
    return struct.pack(">IIBB", len(data) if length is None else length, stream, 2, 0) + data


ANSWERS: dict[str, Callable[[int], bytes | None]] = {
    "closes": lambda stream: None,
    "closes-mid-frame": lambda stream: frame(stream, b"\x12", 1000),
    "noise": lambda stream: random.Random(stream).randbytes(4096),
    "too-long": lambda stream: frame(stream, b"x" * (5 << 20)),
    "no-response": lambda stream: frame(stream, b"\xff\xff\xff"),
    "no-message": lambda stream: frame(stream, b"\x12\x02\x08"),
    "never": lambda stream: b"",
}


class Hostile:
    """A listener that answers requests of ttrpc with the bytes of ``answer``, and hangs up where it has none."""

    def __init__(self, path: Path, answer: Callable[[int], bytes | None]) -> None:
        self.answer = answer
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        self.asked = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while len(head := connection.recv(10, socket.MSG_WAITALL)) == 10:
                length, stream, _, _ = struct.unpack(">IIBB", head)
                connection.recv(length, socket.MSG_WAITALL)
                self.asked += 1
                if (answer := self.answer(stream)) is None:
                    return
                connection.sendall(answer)
                if self.answer is ANSWERS["closes-mid-frame"]:
                    return


SILENT = {"never", "noise", "too-long"}
"""To these the caller has to put an end; then it takes some time until nothing is left."""


@pytest.mark.parametrize(
    "tricks",
    [pytest.param(ANSWERS.keys() - SILENT, id="spoken"), pytest.param(SILENT, id="silent", marks=pytest.mark.full)],
)
def test_answers_that_are_none_leave_nothing(runs: Runs, tmp_path: Path, tricks: set[str]) -> None:
    fine = runs.start("fine")
    for trick in sorted(tricks):
        address = runs.daemon.state.parent / trick
        hostile = Hostile(address, ANSWERS[trick])
        path = tmp_path / trick / "containerd-shim-hostile-v1"
        path.parent.mkdir()
        path.write_text(f'#!/bin/sh\ncase "$*" in *delete) exit 0;; esac\necho unix://{address}\n')
        path.chmod(0o755)
        words = ["run", "--null-io", "--runtime", str(path), runs.image, trick, "true"]
        failed = runs.ctr(*(["--timeout", "3s"] if trick in SILENT else []), *words, check=False)
        assert failed.returncode and hostile.asked, (trick, failed.stderr)
        wait_until(lambda trick=trick: not runs.bundle(trick).exists(), 60)  # type: ignore[misc]
        assert runs.tasks() == {"fine": (str(fine), "RUNNING")}
        hostile.socket.close()
        runs.ctr("containers", "rm", trick, check=False)
    runs.remove("fine")
    verify_world(runs.daemon.world).assert_clean()


@pytest.mark.full
def test_a_cleanup_that_never_ends_is_not_waited_for(runs: Runs, tmp_path: Path) -> None:
    """The task ends all the same, with the status that says that nobody knows."""
    real = programs.shim(tmp_path)
    path = tmp_path / "containerd-shim-slow-v1"
    path.write_text(f'#!/bin/sh\ncase "$*" in *delete) exec sleep 600;; esac\nexec {real} "$@"\n')
    path.chmod(0o755)
    runs.start("web", str(path))

    async def wait() -> int:
        async with connect(runs.daemon.address, runs.namespace) as client:
            waiting = asyncio.create_task(client.tasks.wait("web"))
            await asyncio.sleep(0.2)
            programs.kill(tmp_path, "web")
            return (await asyncio.wait_for(waiting, 30)).status

    assert asyncio.run(wait()) == 255
    wait_until(lambda: not runs.tasks() and not runs.bundle("web").exists())
    runs.ctr("containers", "rm", "web")
    verify_world(runs.daemon.world).assert_clean()


def test_a_flood_of_events_drowns_nobody(runs: Runs) -> None:
    runs.start("fine")
    before = resident(runs.daemon.pid)
    event = ttrpc_events.ForwardRequest(
        envelope=types.Envelope(
            timestamp=timestamps.to_message(time.time_ns()),
            namespace="somebody-elses",
            topic="/tasks/exit",
            event=typeurls.pack(events.TaskExit(container_id="fine", id="fine", pid=1, exit_status=3)),
        )
    ).SerializeToString()

    async def flood(number: int) -> None:
        client = await clients.connect(f"{runs.daemon.address}.ttrpc")
        for _ in range(number):
            await client.call("containerd.services.events.ttrpc.v1.Events", "Forward", event)
        await client.close()

    async def many() -> None:
        await asyncio.gather(*(flood(500) for _ in range(20)))

    with ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(asyncio.run, many())
        while not flooding.done():
            began = time.monotonic()
            assert runs.tasks()["fine"][1] == "RUNNING"  # whatever an event says of it
            assert time.monotonic() - began < 10
        flooding.result()
    wait_until(lambda: resident(runs.daemon.pid) < before + (64 << 20))
    runs.remove("fine")
    verify_world(runs.daemon.world).assert_clean()


def resident(pid: int) -> int:
    """Bytes of memory."""
    (line,) = (each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) << 10
