"""The monitor under a containerd that is not ours, driven by its own client."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import typeurls
from moorage_api.messages import bootstrap, runc_options, shim_v3, types
from moorage_runtime_runc import shims
from moorage_sdk import errors
from moorage_ttrpc import blocking

SHIM = Path(sys.executable).with_name("containerd-shim-moorage-v2")


def test_flags_are_taken_as_go_takes_them() -> None:
    found = shims.parse(["-namespace", "n", "--id=c", "-debug", "-address", "/a", "start"])
    assert found == shims.Invocation({"namespace": "n", "id": "c", "debug": "true", "address": "/a"}, "start")
    with pytest.raises(errors.InvalidArgument, match='"-bundle": missing'):
        found.flag("bundle")
    for bad in (["-what"], ["-id"]):
        with pytest.raises(errors.InvalidArgument):
            shims.parse(bad)


@dataclass
class Started:
    """A monitor that ``start`` brought about for a containerd that is not there."""

    folder: Path
    address: str

    def start(self, id: str = "c", told: bytes = b"", namespace: str = "ns", **env: str) -> bytes:
        """What the program prints, which must end when the program does: the monitor holds neither of its outputs."""
        bundle = self.folder / namespace / id
        bundle.mkdir(parents=True, exist_ok=True)
        words = [SHIM, "-namespace", namespace, "-address", self.address, "-publish-binary", "/bin/true", "-id", id]
        done = subprocess.run(
            [*words, "start"],
            input=told,
            capture_output=True,
            cwd=bundle,
            env={"PATH": os.environ["PATH"], "TTRPC_ADDRESS": f"{self.address}.ttrpc", **env},
            timeout=30,
            check=True,
        )
        assert done.stderr == b""
        return done.stdout

    def monitors(self, cgroup: str = "") -> list[int]:
        return monitors(shims.place(self.address, cgroup))


@pytest.fixture
def started() -> Iterator[Started]:
    if os.geteuid() != 0 or not SHIM.exists():
        pytest.skip("needs root and the installed shim")
    folder = Path(tempfile.mkdtemp(prefix="moorage-shim-"))
    found = Started(folder, str(folder / "c.sock"))
    yield found
    for cgroup in ("", CGROUP):
        end(shims.place(found.address, cgroup))
    shutil.rmtree(folder)


def end(place: Path) -> None:
    """Let the monitor of a place leave, and remove what it used."""
    for pid in monitors(place):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while monitors(place):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    shutil.rmtree(place, ignore_errors=True)


def test_a_containerd_that_is_old_gets_an_address_and_a_newer_one_a_description(started: Started) -> None:
    plain = started.start()
    assert plain.startswith(b"unix:///run/moorage/") and Path(plain.decode().removeprefix("unix://")).is_socket()
    assert (started.folder / "ns" / "c" / "address").read_bytes() == plain
    told = bootstrap.BootstrapParams(instance_id="c", namespace="ns", log_level=-4).SerializeToString()
    for input in (b"", typeurls.pack(runc_options.Options(binary_name="crun")).SerializeToString(), told):
        answer = json.loads(started.start(told=input, MAX_SHIM_VERSION="2"))
        assert answer == {"version": 3, "address": plain.decode(), "protocol": "ttrpc"}
    assert started.start("other", namespace="elsewhere") != plain
    assert len(started.monitors()) == 1


def test_nobody_else_reaches_the_monitor(started: Started) -> None:
    socket = Path(started.start().decode().removeprefix("unix://"))
    assert socket.parent == shims.place(started.address)
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in (socket.parent, *socket.parent.iterdir())}
    assert modes[socket.parent.name] == 0o700 and not any(mode & 0o077 for mode in modes.values())
    assert len(str(socket)) < 107


def test_both_versions_of_the_task_api_are_served_and_the_namespace_is_known(started: Started) -> None:
    """Not every containerd tells it in its calls."""
    socket = Path(started.start().decode().removeprefix("unix://"))
    request = shim_v3.ConnectRequest(id="c").SerializeToString()
    for service in shims.VERSIONS:
        answer = shim_v3.ConnectResponse.FromString(blocking.call(socket, service, "Connect", request))
        assert [answer.shim_pid] == started.monitors()
    with pytest.raises(errors.NotFound):
        blocking.call(socket, shims.VERSIONS[0], "State", shim_v3.StateRequest(id="c").SerializeToString())


def test_starting_loads_little(started: Started) -> None:
    code = "import sys; from moorage_runtime_runc import shims; shims.main(); print('\\n', *sys.modules)"
    (started.folder / "b").mkdir()
    words = [sys.executable, "-I", "-c", code, "-namespace", "ns", "-address", started.address, "-id", "c", "start"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=started.folder / "b", check=True, timeout=30)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "moorage_runtime_runc.shims" in loaded
    assert not {"asyncio", "google.protobuf", "ssl", "grpc", "cffi", "tomllib"} & loaded


def test_an_id_that_was_reserved_keeps_the_monitor(started: Started) -> None:
    """containerd creates the task some time after it was told where; until then nobody else counts on the monitor."""
    before = started.start()
    client = blocking.call(Path(before.decode().removeprefix("unix://")), shims.MONITOR, "Listen", b"ns")
    assert client.decode() == before.decode().removeprefix("unix://")
    assert started.start("d") == before


CGROUP = f"/moorage-test-{os.getpid()}-foreign"


def test_a_cgroup_for_the_shim_is_a_monitor_of_its_own(started: Started) -> None:
    points = [Path("/sys/fs/cgroup", name) for name in ("pids", "memory")]
    points = [each for each in points if each.is_dir()] or [Path("/sys/fs/cgroup")]
    made = [point / CGROUP.strip("/") for point in points]
    for each in made:
        each.mkdir()
    try:
        options = typeurls.pack(runc_options.Options(shim_cgroup=CGROUP))
        told = bootstrap.BootstrapParams(instance_id="c", namespace="ns")
        told.extensions.add().value.CopyFrom(options)
        inside = started.start(told=told.SerializeToString())
        assert started.start("d", told=options.SerializeToString()) == inside
        assert started.start("e") != inside
        (pid,) = started.monitors(CGROUP)
        assert [each.joinpath("cgroup.procs").read_text().split() for each in made] == [[str(pid)]] * len(made)
        assert len(started.monitors()) == 1
        assert (started.folder / "ns" / "d" / "shim-cgroup").read_text() == CGROUP
    finally:
        end(shims.place(started.address, CGROUP))
        for each in made:
            each.rmdir()


def test_info_and_version() -> None:
    assert shims.main(["-what"]) == 1
    if shutil.which("runc") is None:
        pytest.skip("needs runc")
    options = typeurls.pack(runc_options.Options(binary_name="runc"))
    info = types.RuntimeInfo.FromString(shims.info(options.SerializeToString()))
    assert info.name == "io.containerd.moorage.v2" and info.options == Packed.FromString(options.SerializeToString())
    assert "ociVersionMax" in typeurls.unpack_json(info.features)
    done = subprocess.run([SHIM, "-v"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("containerd-shim-moorage-v2 ")


def monitors(place: Path) -> list[int]:
    """Pids of the monitors that live there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(place) in path.read_bytes().decode(errors="replace").split("\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


class Containerd:
    """The distribution's containerd with folders of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = str(folder / "c.sock")
        config = folder / "config.toml"
        config.write_text(
            f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{self.address}"\n'
        )
        self.env = {**os.environ, "PATH": f"{SHIM.parent}:{os.environ['PATH']}"}
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        with open(self.folder / "log", "ab") as log:
            command = ["containerd", "-c", str(self.folder / "config.toml")]
            self.process = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while subprocess.run(self.command("version"), capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)
        return self.process

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def command(self, *arguments: str) -> list[str]:
        return ["ctr", "-a", self.address, "-n", "test", *arguments]

    def ctr(self, *arguments: str) -> str:
        done = subprocess.run(
            self.command(*arguments), env=self.env, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr + (self.folder / "log").read_text()
        return done.stdout

    def run(self, *arguments: str) -> list[str]:
        rootfs = self.folder / "rootfs"
        options = ["--runtime", "io.containerd.moorage.v2", "--cgroup", f"/moorage-shim-{os.getpid()}"]
        return [
            "run",
            *options,
            *arguments[:-2],
            "--rootfs",
            str(rootfs),
            arguments[-2],
            "/bin/sh",
            "-c",
            arguments[-1],
        ]

    def monitors(self) -> list[int]:
        return monitors(shims.place(self.address))


@pytest.fixture
def containerd() -> Iterator[Containerd]:
    if os.geteuid() != 0:
        pytest.skip("needs root: containers")
    if not all(map(shutil.which, ("containerd", "ctr", "runc"))) or not SHIM.exists():
        pytest.skip("needs containerd, ctr, runc and the installed shim")
    folder = Path(tempfile.mkdtemp(prefix="moorage-shim-"))
    for each in ("bin", "proc", "dev", "sys", "tmp", "run"):
        (folder / "rootfs" / each).mkdir(parents=True)
    shutil.copy2("/bin/busybox", folder / "rootfs" / "bin" / "busybox")
    for applet in ("sh", "sleep", "echo", "cat"):
        (folder / "rootfs" / "bin" / applet).symlink_to("busybox")
    daemon = Containerd(folder)
    try:
        yield daemon
    finally:
        for task in daemon.ctr("tasks", "ls", "-q").split():
            daemon.ctr("tasks", "rm", "-f", task)
        daemon.stop()
        for pid in daemon.monitors():
            os.kill(pid, 15)
        deadline = time.monotonic() + 20
        while daemon.monitors() and time.monotonic() < deadline:
            time.sleep(0.05)
        print((folder / "log").read_text())
        print((shims.place(daemon.address) / "monitor.log").read_text())
        shutil.rmtree(shims.place(daemon.address))
        shutil.rmtree(folder)


def test_run_exec_and_restart_under_containerd(containerd: Containerd) -> None:
    assert containerd.ctr(*containerd.run("--rm", "one", "echo hello; exit 0")) == "hello\n"
    done = subprocess.run(
        containerd.command(*containerd.run("--rm", "two", "exit 5")),
        env=containerd.env,
        check=False,
        capture_output=True,
    )
    assert done.returncode == 5
    containerd.ctr(*containerd.run("-d", "three", "/bin/sleep 1000"))
    containerd.ctr(*containerd.run("-d", "four", "/bin/sleep 1000"))
    assert len(containerd.monitors()) == 1
    assert containerd.ctr("tasks", "exec", "--exec-id", "e", "three", "/bin/echo", "from exec") == "from exec\n"
    assert containerd.ctr("tasks", "ps", "three").count("\n") >= 2
    assert "METRIC" in containerd.ctr("tasks", "metrics", "three")
    containerd.ctr("tasks", "pause", "three")
    assert "PAUSED" in containerd.ctr("tasks", "ls")
    containerd.ctr("tasks", "resume", "three")
    containerd.stop()
    containerd.start()
    listed = containerd.ctr("tasks", "ls")
    assert listed.count("RUNNING") == 2
    assert containerd.ctr("tasks", "exec", "--exec-id", "f", "four", "/bin/echo", "again") == "again\n"
    containerd.ctr("tasks", "kill", "-s", "KILL", "three")
    deadline = time.monotonic() + 20
    while "STOPPED" not in containerd.ctr("tasks", "ls"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    subprocess.run(containerd.command("tasks", "rm", "three"), env=containerd.env, check=False)
    assert len(containerd.monitors()) == 1


def test_delete_after_the_monitor_was_killed(containerd: Containerd) -> None:
    containerd.ctr(*containerd.run("-d", "one", "/bin/sleep 1000"))
    pid = int(containerd.ctr("tasks", "ls").splitlines()[1].split()[1])
    (monitor,) = containerd.monitors()
    os.kill(monitor, 9)
    deadline = time.monotonic() + 20
    while containerd.ctr("tasks", "ls", "-q").strip():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, "survived its container's deletion"
        time.sleep(0.05)


def test_delete_tells_of_a_kill(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("runc") is None:
        pytest.skip("needs root and runc")
    (tmp_path / "init.pid").write_text("4242")
    found = shims.delete(shims.parse(["-namespace", "n", "-id", "none", "-bundle", str(tmp_path), "delete"]))
    answer = shim_v3.DeleteResponse.FromString(found)
    assert (answer.pid, answer.exit_status) == (4242, 137) and answer.exited_at.seconds > 0
