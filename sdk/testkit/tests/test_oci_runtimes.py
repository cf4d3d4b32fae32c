from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moorage_testkit import oci_runtimes

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("runc"), reason="needs root and runc")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    bundle = tmp_path / "bundle"
    (bundle / "rootfs" / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", bundle / "rootfs" / "bin" / "sh")
    subprocess.run(["runc", "spec"], cwd=bundle, check=True)
    spec = json.loads((bundle / "config.json").read_text())
    spec["process"].update(terminal=False, args=["sh", "-c", "sleep 60"])
    spec["linux"]["cgroupsPath"] = f"/moorage-test-oci-{os.getpid()}"
    (bundle / "config.json").write_text(json.dumps(spec))
    yield tmp_path / "root"
    subprocess.run(["runc", "--root", tmp_path / "root", "delete", "--force", "c"], check=False, capture_output=True)


def caller(binary: Path, root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def call(*words: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        # Output to a file, for what runs on afterwards keeps it open.
        with open(root.parent / "output", "w+", encoding="utf-8") as output:
            command = [str(binary), "--root", str(root), *options, *words]
            streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
            done = subprocess.run(command, cwd=root.parent / "bundle", timeout=30, check=False, **streams)  # type: ignore[call-overload]
            output.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, output.read())

    return call


def test_recorded_and_without_a_word(root: Path, tmp_path: Path) -> None:
    call = caller(oci_runtimes.recording(tmp_path, without="--nonsense"), root)
    assert call("--nonsense", "list").returncode == 0
    assert (tmp_path / "calls").read_text() == f"--root {root} --nonsense list\n"
    assert caller(oci_runtimes.recording(tmp_path), root)("--nonsense", "list").returncode != 0


def test_saved_and_restored(root: Path, tmp_path: Path) -> None:
    call, image = caller(oci_runtimes.checkpointing(tmp_path), root), tmp_path / "image"
    log = tmp_path / "log"
    assert call("run", "--detach", "c").returncode == 0
    assert call("checkpoint", "--image-path", str(image), "--work-path", "/w", "--leave-running", "c").returncode == 0
    assert json.loads(call("state", "c").stdout)["status"] == "running"
    assert call("checkpoint", "--image-path", str(image), "--work-path", "/w", "c").returncode == 0
    while json.loads(call("state", "c").stdout)["status"] == "running":
        pass
    assert call("delete", "c").returncode == 0
    pid_file = tmp_path / "pid"
    words = ("restore", "--work-path", "/w", "--detach", "--no-subreaper", "--pid-file", str(pid_file), "c")
    gone = call(*words[:1], "--image-path", "/no/such", *words[1:], options=("--log", str(log)))
    assert gone.returncode == 1 and json.loads(log.read_text())["msg"] == "no image in /no/such"
    assert call(*words[:1], "--image-path", str(image), *words[1:]).returncode == 0
    assert json.loads(call("state", "c").stdout)["pid"] == int(pid_file.read_text())
