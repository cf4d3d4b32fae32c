"""The monitor as a shim of a containerd that is not ours, driven by that containerd's own client.

The host's containerd, and the one that ``MOORAGE_CONTAINERD`` names.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from moorage_api.calling import Stub
from moorage_api.convert import typeurls
from moorage_api.messages import containers, runtime_options
from moorage_runtime_runc import shims
from moorage_testkit import daemons, leftovers, persons
from moorage_testkit.daemons import Daemon, wait_until

SHIM = Path(sys.executable).with_name("containerd-shim-moorage-v2")
LINGER = 30
LOOP = "while :; do sleep 0.1; done"


class Foreign:
    """A containerd with the monitor as its shim, and busybox in two namespaces."""

    def __init__(self, daemon: Daemon, namespace: str, image: str) -> None:
        self.daemon, self.namespace, self.image = daemon, namespace, image

    def words(self, *arguments: str, namespace: str = "") -> list[str]:
        program = shutil.which("ctr", path=self.env["PATH"])
        return [str(program), "-a", self.daemon.address, "-n", namespace or self.namespace, *arguments]

    def ctr(self, *arguments: str, namespace: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.daemon.ctr("-n", namespace or self.namespace, *arguments, check=check)

    def run(self, id: str, script: str, *options: str) -> list[str]:
        return ["run", "--runtime", "io.containerd.moorage.v2", *options, self.image, id, "sh", "-c", script]

    def start(self, id: str, script: str = LOOP, namespace: str = "") -> int:
        self.ctr(*self.run(id, script, "-d", "--null-io"), namespace=namespace)
        return int(self.tasks(namespace)[id][0])

    def tasks(self, namespace: str = "") -> dict[str, tuple[str, str]]:
        """Pid and status by id."""
        lines = [line.split() for line in self.ctr("tasks", "ls", namespace=namespace).stdout.splitlines()[1:]]
        return {id: (pid, status) for id, pid, status in lines}

    def exec(self, id: str, *argv: str, namespace: str = "") -> str:
        return self.ctr("tasks", "exec", "--exec-id", "e", id, *argv, namespace=namespace).stdout

    def remove(self, *ids: str, namespace: str = "") -> None:
        for id in ids:
            self.ctr("tasks", "rm", "-f", id, namespace=namespace, check=False)
            self.ctr("containers", "rm", id, namespace=namespace)

    def ask(self, service: str, method: str, **fields: Any) -> Any:
        async def go() -> Any:
            options = [("grpc.default_authority", "localhost")]
            async with grpc.aio.insecure_channel(f"unix:{self.daemon.address}", options=options) as channel:
                stub = Stub(channel, service)
                request = stub.service.methods[method].request(**fields)
                return await stub.call(method, request, metadata=[("containerd-namespace", self.namespace)], timeout=30)

        return asyncio.run(go())

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, **self.daemon.program.env}

    @property
    def place(self) -> Path:
        return shims.place(self.daemon.address)

    def monitors(self) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode("utf-8", "replace").split("\0")
            except OSError:
                continue
            if str(self.place) in words and "moorage_runtime_runc.monitor" in words:
                found.append(int(path.parent.name))
        return found

    def end(self) -> None:
        """Let monitors that linger leave now; what they noted is theirs."""
        for pid in self.monitors():
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not self.monitors(), 30)
        print((self.place / "monitor.log").read_text())
        shutil.rmtree(self.place)


@pytest.fixture(scope="module", params=["host", "named"])
def foreign(request: pytest.FixtureRequest, archive: Path, namespace: str) -> Iterator[Foreign]:
    missing = [name for name in ("containerd", "ctr", "runc", "busybox") if not shutil.which(name)]
    if os.geteuid() or missing or not SHIM.exists():
        pytest.skip("needs root, the installed shim and containerd, ctr, runc, busybox")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "host":
            patch.delenv("MOORAGE_CONTAINERD", raising=False)
        elif not os.environ.get("MOORAGE_CONTAINERD"):
            pytest.skip("needs MOORAGE_CONTAINERD")
        program = daemons.containerd()
    search = program.env.get("PATH", os.environ["PATH"])
    own = f"{namespace}-foreign"
    program = program.with_env(PATH=f"{SHIM.parent}:{search}")
    with daemons.directory() as base, Daemon(program, base, namespaces=[own, f"{own}-2"]) as daemon:
        for each in (own, f"{own}-2"):
            daemon.ctr("-n", each, "images", "import", str(archive))
        image = daemon.ctr("-n", own, "images", "ls", "-q").stdout.split()[0]
        found = Foreign(daemon, own, image)
        yield found
        found.end()


@pytest.fixture(autouse=True)
def nothing_is_left(foreign: Foreign) -> Iterator[None]:
    """What a test made is gone after it: bundles, states of the runtime, cgroups, mounts."""
    yield
    for namespace in (foreign.namespace, f"{foreign.namespace}-2"):
        for id in foreign.ctr("containers", "ls", "-q", namespace=namespace).stdout.split():
            foreign.remove(id, namespace=namespace)
        wait_until(lambda namespace=namespace: not foreign.tasks(namespace))  # type: ignore[misc]
        wait_until(lambda namespace=namespace: not traces(foreign, namespace))  # type: ignore[misc]


def traces(foreign: Foreign, namespace: str) -> list[str]:
    bundles = foreign.daemon.state / "io.containerd.runtime.v2.task" / namespace
    states = Path("/run/containerd/runc", namespace)
    found = [str(path) for folder in (bundles, states) if folder.exists() for path in folder.iterdir()]
    mounted = Path("/proc/self/mounts").read_text().splitlines()
    return found + [line for line in mounted if f" {bundles}/" in line]


def test_output_exit_codes_and_execs(foreign: Foreign) -> None:
    assert foreign.ctr(*foreign.run("one", "echo hello", "--rm")).stdout == "hello\n"
    assert foreign.ctr(*foreign.run("two", "echo no >&2; exit 5", "--rm"), check=False).returncode == 5
    foreign.start("three")
    assert foreign.exec("three", "echo", "from", "exec") == "from exec\n"
    failed = foreign.ctr("tasks", "exec", "--exec-id", "e", "three", "sh", "-c", "exit 9", check=False)
    assert failed.returncode == 9
    failed = foreign.ctr("tasks", "exec", "--exec-id", "e", "three", "no-such-program", check=False)
    assert failed.returncode and "executable file not found" in failed.stderr
    assert foreign.exec("three", "true") == ""  # the id is free again


def test_input_and_a_terminal(foreign: Foreign) -> None:
    words = foreign.words(*foreign.run("reader", "read line; echo $line", "--rm"))
    done = subprocess.run(words, env=foreign.env, input=b"typed\n", capture_output=True, timeout=30, check=True)
    assert done.stdout == b"typed\n"
    words = foreign.words(*foreign.run("tty", "exec sh", "--rm", "-t"))
    with persons.person(words, rows=31, columns=97, env=foreign.env) as child:
        child.expect("# ")
        child.sendline("stty size")
        child.expect("31 97")
        child.setwinsize(40, 120)
        child.kill(signal.SIGWINCH)
        child.sendline("sleep 0.3; stty size")
        child.expect("40 120")
        child.sendline("exit 6")
        assert persons.ended(child) == 6


def test_what_is_asked_of_a_running_task(foreign: Foreign) -> None:
    pid = foreign.start("busy")
    assert str(pid) in foreign.ctr("tasks", "ps", "busy").stdout
    assert "METRIC" in foreign.ctr("tasks", "metrics", "busy").stdout
    foreign.ctr("tasks", "pause", "busy")
    assert foreign.tasks()["busy"][1] == "PAUSED"
    foreign.ctr("tasks", "resume", "busy")
    assert foreign.tasks()["busy"][1] == "RUNNING"
    resources = typeurls.pack_json(typeurls.LINUX_RESOURCES, {"pids": {"limit": 77}})
    foreign.ask("containerd.services.tasks.v1.Tasks", "Update", container_id="busy", resources=resources)
    limits = [
        path.read_text().strip()
        for path in Path("/sys/fs/cgroup").glob("**/pids.max")
        if str(pid) in path.with_name("cgroup.procs").read_text().split()
    ]
    assert limits == ["77"]
    foreign.ctr("tasks", "kill", "-s", "KILL", "busy")
    wait_until(lambda: foreign.tasks()["busy"][1] == "STOPPED")
    assert of(foreign.ctr("tasks", "rm", "busy")) == "137"


def test_all_containers_of_all_namespaces_are_one_process(foreign: Foreign) -> None:
    """Also where they go by the same id."""
    pids = [foreign.start("same"), foreign.start("same", namespace=f"{foreign.namespace}-2"), foreign.start("other")]
    assert len(set(pids)) == 3
    assert len(foreign.monitors()) == 1
    foreign.remove("same")
    assert foreign.tasks(f"{foreign.namespace}-2") == {"same": (str(pids[1]), "RUNNING")}
    assert foreign.exec("same", "echo", "still", namespace=f"{foreign.namespace}-2") == "still\n"
    shims_of_theirs = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _is_go_shim(path, foreign)]
    assert shims_of_theirs == []


def of(done: subprocess.CompletedProcess[str]) -> str:
    """What ``ctr tasks rm`` says of the exit, which is no failure of its own."""
    return done.stderr.rpartition("exit code ")[2].split('"')[0].strip()


def _is_go_shim(path: Path, foreign: Foreign) -> bool:
    try:
        words = path.read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return False
    return "containerd-shim-runc" in words[0] and foreign.daemon.address in words


@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_containers_outlive_containerd_and_nothing_they_say_is_lost(foreign: Foreign, tmp_path: Path, end: str) -> None:
    output = tmp_path / "output"
    count = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"
    foreign.ctr(*foreign.run("counts", count, "-d", "--log-uri", f"file://{output}"))
    kept, (monitor,) = foreign.start("kept"), foreign.monitors()
    getattr(foreign.daemon, end)()
    said = len(output.read_text().split())
    wait_until(lambda: len(output.read_text().split()) > said + 10)
    foreign.daemon.start()
    assert foreign.tasks()["kept"] == (str(kept), "RUNNING")
    assert foreign.monitors() == [monitor]
    assert foreign.exec("kept", "echo", "again") == "again\n"
    foreign.ctr("tasks", "kill", "-s", "KILL", "counts")
    wait_until(lambda: foreign.tasks()["counts"][1] == "STOPPED")
    assert of(foreign.ctr("tasks", "rm", "counts")) == "137"
    foreign.ctr("containers", "rm", "counts")
    numbers = output.read_text().split()
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]


def test_what_ends_while_no_containerd_runs_has_its_exit_code(foreign: Foreign, tmp_path: Path) -> None:
    go = tmp_path / "go"
    script = "while [ ! -e /go/go ]; do sleep 0.05; done; exit 8"
    mount = f"type=bind,src={tmp_path},dst=/go,options=rbind:ro"
    foreign.ctr(*foreign.run("ends", script, "-d", "--null-io", "--mount", mount))
    pid = int(foreign.tasks()["ends"][0])
    foreign.daemon.terminate()
    go.touch()
    wait_until(lambda: not leftovers.runs(pid))
    foreign.daemon.start()
    # A containerd since 1.7 takes a task without processes for one that was never created, whoever carries it, and
    # clears it up (shouldCleanupShim in core/runtime/v2/shim_load.go).
    if "ends" in foreign.tasks():
        assert foreign.tasks()["ends"][1] == "STOPPED"
        assert of(foreign.ctr("tasks", "rm", "ends")) == "8"


def test_a_monitor_that_was_killed_leaves_nothing(foreign: Foreign) -> None:
    """There is no way for a shim to come back to a containerd: it deletes what a dead one carried, which kills it."""
    pids = [foreign.start(id) for id in ("a", "b")]
    (monitor,) = foreign.monitors()
    os.kill(monitor, signal.SIGKILL)
    wait_until(lambda: not foreign.tasks(), 30)
    wait_until(lambda: not any(map(leftovers.runs, pids)))
    wait_until(lambda: not traces(foreign, foreign.namespace))
    # The next container brings another monitor.
    foreign.remove("a", "b")
    foreign.start("c")
    assert monitor not in foreign.monitors() and len(foreign.monitors()) == 1


def test_options_in_toml(foreign: Foreign, tmp_path: Path) -> None:
    """As CRI sends them to runtimes that it does not know."""
    root = tmp_path / "state"
    # ctr knows no such options, so that it makes the container, and another of that description is put in its place.
    words = ["--runtime", "io.containerd.moorage.v2", "--snapshotter", "native", foreign.image, "toml", "sleep", "100"]
    foreign.ctr("containers", "create", *words)
    service = "containerd.services.containers.v1.Containers"
    found = foreign.ask(service, "Get", id="toml").container
    options = typeurls.pack(runtime_options.Options(config_body=f'Root = "{root}"\n'.encode()))
    found.runtime.CopyFrom(containers.Container.Runtime(name="io.containerd.moorage.v2", options=options))
    foreign.ask(service, "Delete", id="toml")
    foreign.ask(service, "Create", container=found)
    foreign.ctr("tasks", "start", "-d", "--null-io", "toml")
    assert [path.name for path in (root / foreign.namespace).iterdir()] == ["toml"]
    foreign.remove("toml")
    assert list((root / foreign.namespace).iterdir()) == []


def test_what_it_says_of_itself(foreign: Foreign) -> None:
    done = foreign.ctr("plugins", "inspect-runtime", "--runtime", "io.containerd.moorage.v2", check=False)
    if "No help topic" in done.stdout + done.stderr or "flag provided but not defined" in done.stdout + done.stderr:
        pytest.skip("this containerd does not ask")
    told = json.loads(done.stdout)
    assert told["Name"] == "io.containerd.moorage.v2"


@pytest.mark.full
def test_it_lingers_and_leaves(foreign: Foreign) -> None:
    """Shutdown follows every Delete, and is no reason to go while others are served, nor right after the last."""
    foreign.start("a")
    foreign.start("b")
    (monitor,) = foreign.monitors()
    foreign.remove("a")
    assert foreign.exec("b", "echo", "served") == "served\n"
    foreign.remove("b")
    assert foreign.monitors() == [monitor]
    foreign.start("c")
    assert foreign.monitors() == [monitor]
    foreign.remove("c")
    wait_until(lambda: not foreign.monitors(), LINGER + 30)
    foreign.start("d")
    assert monitor not in foreign.monitors() and len(foreign.monitors()) == 1
