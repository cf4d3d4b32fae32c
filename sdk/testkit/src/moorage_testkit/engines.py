"""Docker's engine for tests, as Debian has it, on top of any daemon that speaks containerd's API.

    with Daemon(moorage(), base, namespaces=NAMESPACES) as daemon, Engine(base / "engine", daemon.address) as engine:
        engine.load(images.busybox(layout), "busybox")
        assert engine.docker("run", "--rm", "busybox", "echo", "hello").stdout == "hello\\n"

It runs in a network namespace of its own, so its bridges and netfilter rules are nobody else's and end with it. The
mount namespace is everybody's, for the engine and the monitor must see each other's mounts. ``MOORAGE_DOCKERD`` names
another dockerd than the host's; ``docker`` and ``docker-proxy`` are then taken from beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from moorage_sys import mounts, paths
from moorage_testkit.daemons import Daemon, Program
from moorage_testkit.leftovers import Leftovers

NAMESPACES = ("moby", "plugins.moby")
"""Where an engine keeps its containers and its plugins."""

NEEDED = ("dockerd", "docker", "iptables", "ip", "unshare", "nsenter")

START = 60.0
STOP = 60.0
"""Seconds; generous, for test machines are busy."""

_POLL = 0.05


def search_path() -> str:
    """Where the engine and its programs are looked for."""
    chosen = os.environ.get("MOORAGE_DOCKERD")
    beside = [str(Path(chosen).parent), str(Path(chosen).parent.parent / "bin")] if chosen else []
    # Debian's come first: machines may have a newer client lying about that was never meant for this engine.
    return ":".join([*beside, "/usr/sbin", "/usr/bin", os.environ.get("PATH", "")])


def missing() -> str:
    """What an engine lacks on this machine, in words for a skipped test; "" when it can run."""
    if os.geteuid():
        return "needs root"
    lacking = [name for name in NEEDED if not shutil.which(name, path=search_path())]
    return f"needs {', '.join(lacking)}" if lacking else ""


class Engine:
    """A dockerd with everything it keeps in ``base``. Nothing outlives the ``with`` block.

    ``containerd`` is the address of the daemon under it; without one it starts the ``containerd`` of ``path`` by
    itself. ``settings`` are keys of its ``daemon.json``.
    """

    def __init__(
        self,
        base: Path,
        containerd: str = "",
        *,
        path: str = "",
        settings: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.base = base
        self.socket = base / "docker.sock"
        self.log = base / "log"
        self.cgroup = f"docker-{os.getpid()}-{os.urandom(3).hex()}"
        """Parent of the cgroups of its containers, in every hierarchy."""
        self.path = ":".join(filter(None, [path, search_path()]))
        self._config = base / "daemon.json"
        self.settings = self._defaults(containerd) | dict(settings or {})
        self._env = dict(env or {})
        self._network: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._leftovers = Leftovers(self.cgroup, containerd)
        self._managed = _managed(base) if not containerd else None

    def _defaults(self, containerd: str) -> dict[str, Any]:
        return {
            "data-root": str(self.base / "data"),
            "exec-root": str(self.base / "exec"),
            "pidfile": str(self.base / "pid"),
            "hosts": [f"unix://{self.socket}"],
            "cgroup-parent": f"/{self.cgroup}",
            "dns": ["127.0.0.1"],  # where nobody is: the host's could not be reached, and that takes long to notice
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            **({"containerd": containerd} if containerd else {}),
        }

    def __enter__(self) -> Self:
        self.base.mkdir(mode=0o755, exist_ok=True)
        try:
            self._network = _network()
            return self.start()
        except BaseException:
            self.sweep()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.sweep()

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def managed(self) -> int:
        """The process id of the daemon that it started by itself; 0 while there is none."""
        try:
            return int((self.base / "exec" / "containerd" / "containerd.pid").read_text("ascii") or "0")
        except FileNotFoundError:
            return 0

    @property
    def env(self) -> dict[str, str]:
        """The environment of its clients, and its own."""
        places = {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.base / "client")}
        return {**os.environ, **self._env, **places, "PATH": self.path}

    def start(self) -> Self:
        """Start and wait until it answers. Raises AssertionError with the end of its log when it does not."""
        self._config.write_text(json.dumps(self.settings))
        self._configure_client()
        command = ["dockerd", "--config-file", str(self._config)]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self.within(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env
            )
        deadline = time.monotonic() + START
        while self.docker("version", check=False).returncode:
            assert self._process.poll() is None, f"dockerd ended with {self._process.returncode}:\n{self.tail()}"
            assert time.monotonic() < deadline, f"dockerd does not answer:\n{self.tail()}"
            time.sleep(_POLL)
        return self

    def _configure_client(self) -> None:
        """Plugins of a chosen engine's client lie beside it."""
        client = self.base / "client"
        client.mkdir(mode=0o700, exist_ok=True)
        chosen = os.environ.get("MOORAGE_DOCKERD")
        extra = [str(Path(chosen).parent.parent / "libexec" / "docker" / "cli-plugins")] if chosen else []
        (client / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": extra}))

    def kill(self) -> None:
        """SIGKILL, as by the kernel short of memory."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self) -> int:
        """SIGTERM; its exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(STOP)

    def within(self, *words: str) -> list[str]:
        """A command to be run in its network namespace."""
        assert self._network is not None, "not started"
        return ["nsenter", f"--net=/proc/{self._network.pid}/ns/net", "--", *words]

    def words(self, *words: str) -> list[str]:
        """A command line of its client, for tests that start it themselves, with ``env``."""
        return [shutil.which("docker", path=self.path) or "docker", *words]

    def docker(
        self, *words: str, check: bool = True, timeout: float = 60, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run its client. Raises AssertionError when it is overdue, and when it fails unless ``check`` is false."""
        return self.run(*self.words(*words), check=check, timeout=timeout, input=input)

    def run(
        self, *command: str, check: bool = True, timeout: float = 60, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run any command against it, in its environment."""
        text = " ".join(command)
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=timeout, check=False, env=self.env, **given
            )
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{text}: no answer in {timeout:g} s\n{self.tail()}") from None
        assert not check or done.returncode == 0, f"{text}: {done.stderr.strip()}\n{self.tail()}"
        return done

    def inspect(self, name: str, template: str) -> Any:
        """What a template makes of an object, as JSON: ``inspect("web", "{{json .State}}")``."""
        return json.loads(self.docker("inspect", "-f", template, name).stdout)

    def load(self, rootfs: bytes, name: str, changes: Sequence[str] = ('CMD ["sh"]', "ENV PATH=/bin:/sbin")) -> None:
        """Make an image of the tar of a root file system."""
        tar = self.base / "rootfs.tar"
        tar.write_bytes(rootfs)
        self.docker("import", *(word for change in changes for word in ("-c", change)), str(tar), name)
        tar.unlink()

    def tail(self, size: int = 4000) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-size:].decode("utf-8", "replace") if self.log.exists() else ""

    def sweep(self) -> None:
        """End its containers and it, and take away what it made outside of ``base``, and the mounts inside."""
        if self._process is not None:
            with suppress(AssertionError):  # one that cannot start again keeps its containers to those who carry them
                self.clear() if self._process.poll() is None else self.start().clear()
            self._end(self._process)
        self._leftovers.kill()
        if self._managed is not None:
            self._managed.sweep()
        mounts.unmount_recursive(self.base)
        if self._network is not None:
            assert self._network.stdin is not None
            self._network.stdin.close()
            self._end(self._network)
        self._leftovers.remove()
        with suppress(FileNotFoundError):
            paths.remove_tree(self.base)

    def clear(self) -> None:
        """Remove all containers, and the networks and volumes that are nobody's then."""
        left = self.docker("ps", "-aq").stdout.split()
        if left:
            self.docker("rm", "-f", "-v", *left)
        self.docker("network", "prune", "-f")
        self.docker("volume", "prune", "-f")

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP)
        process.kill()
        process.wait()


def _managed(base: Path) -> Daemon:
    """The daemon that an engine in ``base`` starts by itself, for what that one leaves."""
    daemon = Daemon(Program(("containerd",)), base, namespaces=NAMESPACES)
    daemon.root, daemon.state = base / "data" / "containerd" / "daemon", base / "exec" / "containerd" / "daemon"
    return daemon


def _network() -> subprocess.Popen[bytes]:
    """A process that keeps a network namespace with loopback until it ends, which it does with us at the latest."""
    process = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n", "no network namespace"
    process.stdout.close()
    return process
