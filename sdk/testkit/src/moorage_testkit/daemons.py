"""Daemons for tests: ours, or the host's containerd, each in directories of its own.

    with Daemon(moorage(), base) as daemon:
        daemon.kill()
        daemon.start()
        assert ask(daemon.address) == daemon.process.pid

Nothing outlives the ``with`` block: containers that a test left are killed, mounts taken off, directories removed.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from moorage_client.clients import connect
from moorage_sdk import errors
from moorage_sys import loops, mounts, paths
from moorage_testkit import traces
from moorage_testkit.traces import Place, Process
from moorage_testkit.worlds import World

START = 20.0
STOP = 30.0
"""Seconds; generous, for test machines are busy."""

_POLL = 0.02

_UNWANTED = (
    "io.containerd.grpc.v1.cri",
    "io.containerd.cri.v1.images",
    "io.containerd.cri.v1.runtime",
    "io.containerd.podsandbox.controller.v1.podsandbox",
    "io.containerd.nri.v1.nri",
    "io.containerd.internal.v1.opt",
)
"""Plugins of containerd that reach out of their own directories, by the names of all its versions."""

_CGROUPS = "/sys/fs/cgroup"
_UNIFIED = f"{_CGROUPS}/unified"
"""Where a hybrid host has cgroup v2 beside v1."""


@dataclass(frozen=True)
class Program:
    """A command that takes ``--root``, ``--state``, ``--address`` and ``--config``, and its default configuration."""

    command: tuple[str, ...]
    config: str = ""
    env: Mapping[str, str] = field(default_factory=dict)

    def with_config(self, config: str) -> Program:
        return Program(self.command, config, self.env)

    def with_env(self, **env: str) -> Program:
        return Program(self.command, self.config, {**self.env, **env})


def moorage(config: str = "") -> Program:
    """The daemon of this tree in the interpreter that runs the test, with the environment of its console script."""
    script = {"MOORAGE_PROGRAM": "mooraged", "MALLOC_ARENA_MAX": "2"}
    return Program((sys.executable, "-I", "-m", "moorage_core"), config, script)


def containerd() -> Program:
    """A containerd without CRI, which would want /etc/cni and a port, and without NRI and its socket of the host.

    The one that ``MOORAGE_CONTAINERD`` names, with the shims and the ``ctr`` in its directory, or else the host's.
    """
    config = f"version = 2\ndisabled_plugins = [{', '.join(map(json.dumps, _UNWANTED))}]\n"
    named = os.environ.get("MOORAGE_CONTAINERD", "")
    if not named:
        return Program(("containerd",), config)
    search = os.pathsep.join([str(Path(named).parent), os.environ.get("PATH", os.defpath)])
    return Program((named,), config, {"PATH": search})


def without_hybrid(program: Program) -> Program:
    """The same in a mount namespace where the host has cgroup v1 alone, for crun does not do with both.

    Mounts of the host come in, its own stay there.
    """
    return _elsewhere(program, f"umount {_UNIFIED}") if os.path.ismount(_UNIFIED) else program


def unified(program: Program) -> Program:
    """The same in a mount namespace where there is cgroup v2 alone, as on a host of today.

    Controllers that the host has given to v1 are missing there.
    """
    return _elsewhere(program, f"umount --recursive --lazy {_CGROUPS} && mount -t cgroup2 none {_CGROUPS}")


def _elsewhere(program: Program, first: str) -> Program:
    alone = ("unshare", "--mount", "--propagation", "slave", "sh", "-c", f'{first} && exec "$@"', "sh")
    return Program((*alone, *program.command), program.config, program.env)


@contextmanager
def directory(parent: Path | None = None) -> Iterator[Path]:
    """A fresh directory whose name is short enough for sockets beneath it (108 bytes, unix(7))."""
    base = Path(tempfile.mkdtemp(prefix="moorage-test-", dir=parent))
    base.chmod(0o755)
    try:
        yield base
    finally:
        mounts.unmount_recursive(base)
        paths.remove_tree(base)


class Daemon:
    """A daemon in ``base``: ``root``, ``state``, ``log`` and the socket beside each other. Not started by itself.

    The socket lies outside root and state, so that a client's command line does not look like a part of the daemon.
    """

    def __init__(self, program: Program, base: Path, *, namespaces: Sequence[str] = ("default",)) -> None:
        self.program = program
        self.root = base / "root"
        self.state = base / "state"
        self.address = str(base / "daemon.sock")
        self.log = base / "log"
        self.config = base / "config.toml"
        self.namespaces = frozenset(namespaces)
        self.others = frozenset(map(str, traces.hosted(self.namespaces)))
        """Cgroups and states of containers that were there before it, and so are not its."""
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        """Seconds from the last ``start`` to the first answer."""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.sweep()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.sweep()

    @property
    def pid(self) -> int:
        assert self.process is not None, "not started"
        return self.process.pid

    @property
    def _env(self) -> dict[str, str]:
        return {**os.environ, **self.program.env}

    @property
    def world(self) -> World:
        return World(self.address, self.root, self.state, self.namespaces, self.pid, self.others)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process and do not wait for it to serve. It becomes ``process``."""
        self.config.write_text(self.program.config)
        self.config.chmod(0o600)
        places = {"config": self.config, "root": self.root, "state": self.state, "address": self.address}
        flags = [word for name, value in places.items() for word in (f"--{name}", str(value))]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.program.command, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                start_new_session=True,
            )
        return self.process

    def start(self) -> Self:
        """Start and wait until it answers. Raises AssertionError with the end of its log when it does not."""
        began = time.monotonic()
        process = self.spawn()
        deadline = began + START
        while not answers(self.address):
            assert process.poll() is None, f"the daemon ended with {process.returncode}:\n{self.tail()}"
            assert time.monotonic() < deadline, f"the daemon does not answer:\n{self.tail()}"
            time.sleep(_POLL)
        self.started = time.monotonic() - began
        return self

    def kill(self) -> None:
        """SIGKILL, as by the kernel short of memory."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; its exit status. Raises AssertionError when it takes too long."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon does not end:\n{self.tail()}") from None

    def restart(self) -> Self:
        """Stop it gently and start it again."""
        self.terminate()
        return self.start()

    def tail(self, size: int = 6000) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-size:].decode("utf-8", "replace")

    def ctr(self, *words: str, timeout: float = 60, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the program's ``ctr`` against it, as a rule the host's.

        Raises AssertionError with what it said unless ``check`` is false; also when it takes longer than ``timeout``
        seconds, with the stacks of the daemon's threads in its log.
        """
        command = ["ctr", "--address", self.address, *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=self._env)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"ctr {' '.join(words)}: no answer in {timeout:g} s\n{self._stacks()}") from None
        assert not check or done.returncode == 0, f"ctr {' '.join(words)}: {done.stderr.strip()}\n{self.tail()}"
        return done

    def _stacks(self) -> str:
        """What the daemon does right now, which it logs on SIGUSR1."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGUSR1)
            time.sleep(1)
        return self.tail(30000)

    def sweep(self) -> None:
        """End everything that is left, gently where possible, and remove what it made outside of ``base``.

        Only what is certainly its own goes: daemons beside it have cgroups and states in the same directories.
        """
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP)
            self.process.kill()
            self.process.wait()
        place = Place(self.root, self.state, self.namespaces, self.others)
        _kill(place)
        for path in (self.root, self.state):
            mounts.unmount_recursive(path)
        trace = traces.look(place, 0)
        for device in trace.loops:
            with suppress(OSError):  # one that went with its mount
                loops.detach(device)
        own = traces.owned(place, trace)
        for folder in sorted(folder for folder, task in trace.cgroups.items() if task in own):
            with suppress(OSError):
                Path(folder).rmdir()
        for folder in (folder for folder, task in trace.runtimes.items() if task in own):
            shutil.rmtree(folder, ignore_errors=True)
        for shared in traces.shared(self.namespaces - {"default"}):  # which others use, who may be about to fill it
            with suppress(OSError):
                shared.rmdir()


def wait_until(met: Callable[[], object], seconds: float = 10.0) -> None:
    """Poll until ``met()`` is true. Raises AssertionError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, f"not met in {seconds:g} s: {met}"
        time.sleep(_POLL)


def answers(address: str) -> bool:
    """Whether a daemon answers at that socket."""
    try:
        asyncio.run(_version(address))
    except errors.Error:
        return False
    return True


async def _version(address: str) -> str:
    async with connect(address) as client:
        return (await client.versions.get(timeout=5)).version


def _kill(place: Place) -> None:
    """Kill all processes that have to do with the directories; monitors first, for they might restart something."""
    deadline = time.monotonic() + STOP
    while left := [each for each in _killable(traces.look(place, 0).processes) if each.state != "Z"]:
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        assert time.monotonic() < deadline, f"cannot be killed: {', '.join(map(str, left))}"
        time.sleep(_POLL)


def _killable(found: Sequence[Process]) -> list[Process]:
    """Those that are nobody else's: a worker of another daemon has copies of all mounts of the host, and so of ours."""
    ours = {process.pid for process in found if process.mentions == "command"} | {1}
    while grown := {process.pid for process in found if process.parent in ours} - ours:
        ours |= grown
    return [process for process in found if process.pid in ours]
