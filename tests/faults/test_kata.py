"""Kata Containers: its preset and its protocol, against a program that speaks it and misbehaves.

The shim and its machines are ``moorage_testkit.katas``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from moorage_api.calling import Stub
from moorage_testkit import daemons, images, leftovers
from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.images import Layout
from moorage_testkit.katas import SANDBOX_ID, TYPE, Kata
from moorage_testkit.worlds import verify_world

NAMESPACE = "kata"
RUNTIME = "io.containerd.kata.v2"
QEMU = "io.containerd.kata-qemu.v2"
EVIL = "io.katacontainers.config.hypervisor.path"
FINE = "io.katacontainers.config.hypervisor.default_memory"
FOREVER = "sleep 1000"
SPEC = "types.containerd.io/opencontainers/runtime-spec/1/Spec"


def config(kata: Kata) -> str:
    return f"""\
version = 3
[plugins."io.containerd.runtime-preset.v1.kata".runtimes."{RUNTIME}"]
runtime_path = "{kata.path}"
config_path = "/etc/kata/default.toml"
[plugins."io.containerd.runtime-preset.v1.kata".runtimes."{QEMU}"]
runtime_path = "{kata.path}"
config_path = "/etc/kata/qemu.toml"
annotations = ["{FINE}"]
"""


class Host:
    """A daemon with the preset and an image, and what ``ctr`` does on it."""

    def __init__(self, daemon: Daemon, kata: Kata, image: str) -> None:
        self.daemon, self.kata, self.image = daemon, kata, image

    def ctr(self, *words: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return self.daemon.ctr("-n", NAMESPACE, *words, check=check, timeout=timeout)

    def run(
        self, id: str, script: str = FOREVER, runtime: str = RUNTIME, check: bool = True, **annotations: str
    ) -> subprocess.CompletedProcess[str]:
        told = [word for key, value in annotations.items() for word in ("--annotation", f"{key}={value}")]
        words = ("run", "-d", "--null-io", "--runtime", runtime, *told, self.image, id, "sh", "-c", script)
        return self.ctr(*words, check=check)

    def tasks(self) -> dict[str, tuple[int, str]]:
        lines = [line.split() for line in self.ctr("tasks", "ls").stdout.splitlines()[1:]]
        return {id: (int(pid), status) for id, pid, status in lines}

    def status(self, id: str) -> str:
        return self.tasks().get(id, (0, "GONE"))[1]

    def remove(self, *ids: str) -> None:
        for id in ids:
            self.ctr("tasks", "rm", "-f", id, check=False)
            self.ctr("containers", "rm", id)

    def clean(self) -> None:
        """Nothing is left, of the daemon's and of the shim's."""
        assert self.tasks() == {}
        for file in [*self.kata.folder.glob("shim-*"), *self.kata.folder.glob("machine-*")]:
            wait_until(lambda file=file: not leftovers.runs(int(file.read_text())))  # type: ignore[misc]
        verify_world(self.daemon.world).assert_clean()


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with daemons.directory() as place:
        yield place


@pytest.fixture(scope="module")
def kata(place: Path) -> Iterator[Kata]:
    try:
        distribution("moorage-runtime-kata")
    except PackageNotFoundError:
        pytest.skip("needs moorage-runtime-kata")
    folder = place / "kata"
    folder.mkdir()
    yield Kata(folder)
    for file in [*folder.glob("shim-*"), *folder.glob("machine-*")]:
        pid = int(file.read_text())
        if leftovers.runs(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def daemon(place: Path, kata: Kata, archive: Path) -> Iterator[Daemon]:
    with Daemon(daemons.moorage(config(kata)), place, namespaces=[NAMESPACE]) as daemon:
        daemon.ctr("-n", NAMESPACE, "images", "import", str(archive))
        yield daemon


@pytest.fixture
def host(daemon: Daemon, kata: Kata) -> Host:
    kata.forget()
    kata.does()
    return Host(daemon, kata, "docker.io/library/busybox:test")


@pytest.mark.parametrize("answer", ["plain", pytest.param("json", marks=pytest.mark.full)])
def test_a_whole_life(host: Host, answer: str) -> None:
    host.kata.does(answer=answer)
    host.run("c", **{EVIL: "/bin/evil", FINE: "512", "other": "kept"})
    (start,), (create,) = host.kata.told("start"), host.kata.told("Create")
    assert (start["type"], start["config_path"]) == ("runtimeoptions.v1.Options", "/etc/kata/default.toml")
    assert create["config_path"] == "/etc/kata/default.toml"
    passed = set(create["annotations"])
    assert "other" in passed and not passed & {EVIL, FINE}
    assert host.tasks() == {"c": (host.kata.machine("c"), "RUNNING")}
    wait_until(lambda: "kata: pod c begins" in host.daemon.tail(100_000))
    assert "annotations not passed on" in host.daemon.tail(100_000)
    host.daemon.kill()
    host.daemon.start()
    assert host.status("c") == "RUNNING"
    host.ctr("tasks", "kill", "-s", "KILL", "c")
    wait_until(lambda: host.status("c") == "STOPPED")
    host.remove("c")
    host.clean()


def test_names_have_their_own_files_and_lists(host: Host) -> None:
    host.run("q", runtime=QEMU, **{EVIL: "/bin/evil", FINE: "512"})
    (create,) = host.kata.told("Create")
    assert (create["config_path"], set(create["annotations"]) & {EVIL, FINE}) == ("/etc/kata/qemu.toml", {FINE})
    host.run("p", runtime=str(host.kata.path), **{EVIL: "/bin/evil"})
    assert EVIL not in host.kata.told("Create")[1]["annotations"]
    words = ("--runtime", RUNTIME, "--runtime-config-path", "/etc/kata/own.toml", host.image, "o", "true")
    host.ctr("run", "-d", "--null-io", *words)
    assert host.kata.told("Create")[2]["config_path"] == "/etc/kata/own.toml"
    host.remove("q", "p", "o")
    host.clean()


def test_a_pod_has_one_machine(host: Host) -> None:
    host.run("pod", **{TYPE: "sandbox", SANDBOX_ID: "pod"})
    for id in ("one", "two"):
        host.run(id, **{TYPE: "container", SANDBOX_ID: "pod"})
    machine = host.kata.machine("pod")
    assert host.tasks() == dict.fromkeys(("one", "pod", "two"), (machine, "RUNNING"))
    assert len(host.kata.sockets) == 1
    host.remove("one")
    assert host.status("two") == host.status("pod") == "RUNNING"
    host.daemon.kill()
    host.daemon.start()
    assert set(host.tasks()) == {"pod", "two"}
    os.kill(host.kata.shim("pod"), signal.SIGKILL)
    wait_until(lambda: host.tasks() == {})
    assert {line["id"] for line in host.kata.told("delete")} == {"pod", "two"}
    for id in ("pod", "two"):
        host.ctr("containers", "rm", id)
    host.clean()


def test_a_sandbox_is_a_machine_without_a_pause_container(host: Host, tmp_path: Path) -> None:
    host.kata.does(answer="json", sandboxes=True)
    rootfs = tmp_path / "rootfs"
    rootfs.mkdir()
    evil = {EVIL: "/bin/evil", "other": "kept"}
    spec = {"process": {"args": ["sleep 1000"]}, "root": {"path": str(rootfs)}, "annotations": evil}
    payload = {"type_url": SPEC, "value": json.dumps(spec).encode()}
    sandbox = {"sandbox_id": "pod", "runtime": {"name": RUNTIME}, "sandboxer": "shim", "spec": payload}
    container = {"id": "web", "runtime": {"name": RUNTIME}, "spec": payload, "sandbox": "pod"}
    of_pod, of_web = {"sandbox_id": "pod", "sandboxer": "shim"}, {"container_id": "web"}

    async def talk(ask: Any) -> None:
        await ask("sandbox.v1.Store", "Create", sandbox=sandbox)
        await ask("sandbox.v1.Controller", "Create", **of_pod, sandbox=sandbox, annotations=evil)
        await ask("sandbox.v1.Controller", "Start", **of_pod)
        assert host.tasks() == {}
        await ask("containers.v1.Containers", "Create", container=container)
        await ask("tasks.v1.Tasks", "Create", **of_web)
        await ask("tasks.v1.Tasks", "Start", **of_web)
        assert await asyncio.to_thread(host.tasks) == {"web": (host.kata.machine("pod"), "RUNNING")}
        await ask("tasks.v1.Tasks", "Kill", **of_web, signal=9)
        await ask("tasks.v1.Tasks", "Wait", **of_web)
        await ask("tasks.v1.Tasks", "Delete", **of_web)
        assert (await ask("sandbox.v1.Controller", "Status", **of_pod)).state == "SANDBOX_READY"
        await ask("sandbox.v1.Controller", "Shutdown", **of_pod)
        await ask("sandbox.v1.Store", "Delete", sandbox_id="pod")
        await ask("containers.v1.Containers", "Delete", id="web")

    asyncio.run(over_grpc(host, talk))
    assert [line["id"] for line in host.kata.told("start")] == ["pod"]
    assert host.kata.told("CreateSandbox")[0]["annotations"] == {"other": "kept"}
    assert host.kata.told("Create")[0]["annotations"] == {"other": "kept"}
    host.clean()


async def over_grpc(host: Host, talk: Callable[[Any], Awaitable[None]]) -> None:
    async with grpc.aio.insecure_channel(f"unix:{host.daemon.address}") as channel:

        async def ask(service: str, method: str, **fields: Any) -> Any:
            stub = Stub(channel, f"containerd.services.{service}")
            request = stub.service.methods[method].request(**fields)
            return await stub.call(method, request, metadata=[("containerd-namespace", NAMESPACE)], timeout=30)

        await talk(ask)


def test_an_image_without_layers_gets_no_machine(host: Host, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "empty")
    layout.tag("docker.io/library/empty:test", layout.image([], config={"Cmd": ["true"]}))
    archive = images.archive(layout, tmp_path / "empty.tar")
    host.ctr("images", "import", str(archive))
    host.image = "docker.io/library/empty:test"
    refused = host.run("c", check=False)
    assert refused.returncode and "its image has no layers" in refused.stderr, refused.stderr
    assert host.kata.told("start") == []
    host.ctr("containers", "rm", "c", check=False)
    host.clean()


FAILURES: dict[str, dict[str, Any]] = {
    "dies in Create": {"die": ("Create",)},
    "dies in Create, socket left": {"die": ("Create",), "litter": True},
    "an unknown error in Create": {"unknown": ("Create",)},
    "dies in Start": {"die": ("Start",)},
    "an unknown error in Start": {"unknown": ("Start",)},
}


OFTEN = {"dies in Create, socket left", "an unknown error in Start"}


@pytest.mark.parametrize(
    "failure", [pytest.param(each, marks=[] if each in OFTEN else [pytest.mark.full]) for each in FAILURES]
)
def test_what_cannot_be_made_leaves_nothing(host: Host, failure: str) -> None:
    script = FAILURES[failure]
    host.kata.does(**script)
    refused = host.run("c", check=False)
    assert refused.returncode, refused.stdout
    assert "unknown" not in script or "the agent does not answer" in refused.stderr, refused.stderr
    host.kata.does()
    host.ctr("tasks", "rm", "-f", "c", check=False)
    wait_until(lambda: host.tasks() == {})
    host.ctr("containers", "rm", "c", check=False)
    host.clean()
    host.run("c")
    host.remove("c")
    host.clean()


def test_a_create_that_hangs_can_be_given_up(host: Host) -> None:
    host.kata.does(hang=("Create",))
    command = ["ctr", "-a", host.daemon.address, "-n", NAMESPACE, "run", "-d", "--null-io", "--runtime", RUNTIME]
    client = subprocess.Popen([*command, host.image, "c", "true"], stderr=subprocess.DEVNULL)
    wait_until(lambda: host.kata.folder.joinpath("shim-c").exists() and host.kata.sockets)
    host.kata.does()
    client.kill()
    client.wait()
    os.kill(host.kata.shim("c"), signal.SIGKILL)
    wait_until(lambda: host.kata.told("delete") != [])
    wait_until(lambda: not leftovers.runs(host.kata.machine("c")))
    host.remove("c")
    host.clean()


def test_a_wait_that_is_not_answered_keeps_nobody_from_the_rest(host: Host) -> None:
    host.kata.does(hang=("Wait",))
    host.run("c", "exit 3")
    wait_until(lambda: host.status("c") == "STOPPED")
    host.ctr("tasks", "rm", "c", timeout=20)
    host.ctr("containers", "rm", "c")
    host.clean()


def test_a_machine_that_is_dead_under_its_shim(host: Host) -> None:
    """The shim answers nothing but errors; what helps is to end it, and the daemon clears up."""
    host.run("c")
    host.run("other")
    os.kill(host.kata.machine("c"), signal.SIGKILL)
    host.kata.does(unknown=("Kill", "Delete", "State", "Wait", "Pids", "Stats"))
    assert host.ctr("tasks", "kill", "-s", "KILL", "c", check=False).returncode
    assert host.ctr("tasks", "rm", "-f", "c", check=False).returncode
    host.kata.does()
    assert host.status("other") == "RUNNING"
    os.kill(host.kata.shim("c"), signal.SIGKILL)
    wait_until(lambda: host.status("c") == "GONE")
    host.ctr("containers", "rm", "c")
    host.remove("other")
    host.clean()


def test_a_shim_that_hangs_is_unknown_and_holds_up_nobody(host: Host) -> None:
    host.run("c")
    host.kata.does(hang=("State",))
    assert host.status("c") == "UNKNOWN"
    host.kata.does()
    assert host.status("c") == "RUNNING"
    host.remove("c")
    host.clean()


@pytest.mark.full
def test_a_delete_that_takes_too_long_is_given_up(host: Host) -> None:
    host.kata.does(slow=60)
    host.run("c")
    os.kill(host.kata.shim("c"), signal.SIGKILL)
    wait_until(lambda: host.status("c") == "GONE", 20)
    os.kill(host.kata.machine("c"), signal.SIGKILL)  # what nobody clears up is the operator's
    host.ctr("containers", "rm", "c")
    host.kata.does()
    host.clean()


@pytest.mark.full
def test_lies_about_others_end_nobody(host: Host) -> None:
    host.run("honest")
    host.kata.does(
        lies=(
            ("/tasks/exit", NAMESPACE, "honest"),
            ("/tasks/exit", "elsewhere", "nobody"),
            ("no topic", NAMESPACE, "honest"),
            ("/tasks/exit", "../..", "x"),
        )
    )
    host.run("liar")
    assert (host.status("honest"), host.status("liar")) == ("RUNNING", "RUNNING")
    host.remove("liar", "honest")
    host.clean()


@pytest.mark.full
def test_a_status_from_the_guest_is_no_number_of_ours(host: Host) -> None:
    """The guest's agent tells a number of 32 bits; exit codes have eight."""
    host.kata.does(status=0xFFFFFFFF)
    host.run("c", "exit 3")
    wait_until(lambda: host.status("c") == "STOPPED")
    done = host.ctr("tasks", "rm", "c", check=False)
    assert "4294967295" not in done.stdout + done.stderr
    host.ctr("containers", "rm", "c")
    host.clean()


@pytest.mark.full
def test_the_restart_of_the_daemon_finds_a_shim_that_died_meanwhile(host: Host) -> None:
    host.run("dead")
    host.run("alive")
    host.daemon.kill()
    os.kill(host.kata.shim("dead"), signal.SIGKILL)
    host.daemon.start()
    wait_until(lambda: set(host.tasks()) == {"alive"})
    wait_until(lambda: not leftovers.runs(host.kata.machine("dead")))
    host.ctr("containers", "rm", "dead")
    host.remove("alive")
    host.clean()
