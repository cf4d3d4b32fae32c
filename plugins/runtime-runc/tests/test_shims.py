"""The monitor under a containerd that is not ours, driven by its own client."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import typeurls
from moorage_api.messages import runc_options, shim_v3, types
from moorage_runtime_runc import shims
from moorage_sdk import errors

SHIM = Path(sys.executable).with_name("containerd-shim-moorage-v2")


def test_flags_are_taken_as_go_takes_them() -> None:
    found = shims.parse(["-namespace", "n", "--id=c", "-debug", "-address", "/a", "start"])
    assert found == shims.Invocation({"namespace": "n", "id": "c", "debug": "true", "address": "/a"}, "start")
    with pytest.raises(errors.InvalidArgument, match='"-bundle": missing'):
        found.flag("bundle")
    for bad in (["-what"], ["-id"]):
        with pytest.raises(errors.InvalidArgument):
            shims.parse(bad)


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
        folder = str(shims.place(self.address))
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if folder in path.read_bytes().decode(errors="replace").split("\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found


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
