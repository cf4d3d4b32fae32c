from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from moorage_api.convert import typeurls
from moorage_api.messages import runc_options
from moorage_runtime_runc import checkpoints
from moorage_sdk import errors
from moorage_testkit import oci_runtimes


def test_without_criu(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    checkpoints._warn.cache_clear()
    for _ in range(2):
        with pytest.raises(errors.Unimplemented, match="criu is not installed"):
            checkpoints.needs_criu()
    assert len(caplog.records) == 1


class Failing:
    log = "why"

    async def checkpoint(self, image: str, work: str, flags: Any) -> None:
        Path(work).mkdir()
        Path(work, "dump.log").write_text(self.log)
        raise errors.Error("OCI runtime checkpoint failed: criu failed\nmore")


@pytest.mark.parametrize("own", [True, False])
def test_a_failure_keeps_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    monkeypatch.setattr(checkpoints, "needs_criu", lambda: None)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    work = str(tmp_path / "work") if own else ""
    runtime: Any = Failing()
    with pytest.raises(errors.Error, match=r"^OCI runtime checkpoint failed: criu failed path= .*criu-dump\.log$"):
        asyncio.run(checkpoints.write(runtime, bundle, "/image", work, runtime))
    assert (bundle / "criu-dump.log").read_text() == "why"
    assert not (bundle / "criu-work").exists()
    assert (tmp_path / "work").exists() == own


def test_a_fifo_of_the_host_has_a_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "needs_criu", lambda: None)
    runtime: Any = Failing()
    runtime.log = "Error (criu/files-reg.c:1790): Can't lookup mount=27 for fd=1 path=/run/containerd/fifo/1/c-stdout\n"
    with pytest.raises(errors.Error, match="relay = true"):
        asyncio.run(checkpoints.write(runtime, tmp_path, "/image", "", runtime))


def needs_working_criu() -> None:
    if shutil.which("criu") is None or subprocess.run(["criu", "check"], capture_output=True, check=False).returncode:
        pytest.skip("needs a kernel and a criu that suit each other")


def test_checkpoint_and_restore(scenario: Any) -> None:
    needs_working_criu()

    async def body(node: Any) -> None:
        host = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
        bundle = node.bundle(
            "sh", "-c", "n=0; while :; do n=$((n+1)); echo $n >> /count; sleep 0.05; done", namespaces=host
        )
        await node.create(bundle)
        with pytest.raises(errors.FailedPrecondition, match="cannot checkpoint a task in created state"):
            await node.call("Checkpoint", path=str(node.folder / "image"))
        await node.call("Start")
        await asyncio.sleep(0.5)
        options = typeurls.pack(runc_options.CheckpointOptions(exit=True))
        await node.call("Checkpoint", path=str(node.folder / "image"), options=options)
        assert (await node.call("Wait")).exit_status == 137
        await node.call("Delete")
        counted = (bundle / "rootfs" / "count").read_text().splitlines()
        await node.create(bundle, checkpoint=str(node.folder / "image"))
        assert (await node.call("State")).pid == 0
        pid = (await node.call("Start")).pid
        await asyncio.sleep(0.5)
        after = (bundle / "rootfs" / "count").read_text().splitlines()
        assert pid > 0 and len(after) > len(counted) and after == [str(n) for n in range(1, len(after) + 1)]
        await node.call("Kill", signal=signal.SIGKILL)
        assert (await node.call("Wait")).exit_status == 137
        await node.call("Delete")
        await node.until_event("TaskDelete", pid=pid)
        assert "TaskCheckpointed" in node.names()

    scenario(body)


def test_memory_of_a_restored_container_is_watched(scenario: Any) -> None:
    needs_working_criu()

    async def body(node: Any) -> None:
        resources = {"memory": {"limit": 24 << 20}}
        script = "until test -e /go; do sleep 0.1; done; dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 1000"
        bundle = node.bundle("sh", "-c", script, resources=resources)
        await node.create(bundle)
        await node.call("Start")
        await asyncio.sleep(0.3)
        options = typeurls.pack(runc_options.CheckpointOptions(exit=True))
        await node.call("Checkpoint", path=str(node.folder / "image"), options=options)
        await node.call("Wait")
        await node.call("Delete")
        await node.create(bundle, checkpoint=str(node.folder / "image"))
        await node.call("Start")
        (bundle / "rootfs" / "go").touch()
        await node.until_event("TaskOOM", container_id="c")
        await node.call("Kill", signal=signal.SIGKILL)
        await node.call("Wait")
        await node.call("Delete")

    scenario(body)


def test_output_goes_on_where_the_client_of_the_restored_one_reads(scenario: Any) -> None:
    """Through pipes of ours, whose state criu can save, on to FIFOs that were not there at the checkpoint."""
    needs_working_criu()

    async def body(node: Any) -> None:
        node.stop()
        node.arguments = ["--relay"]
        node.start()
        bundle = node.bundle("sh", "-c", "until test -e /go; do sleep 0.1; done; cat; echo end")
        first, given, got = node.fifo("first"), node.fifo("given"), node.fifo("got")
        reader = os.open(first, os.O_RDONLY | os.O_NONBLOCK)
        await node.create(bundle, stdout=str(first), stdin=str(given))
        await node.call("Start")
        options = typeurls.pack(runc_options.CheckpointOptions(exit=True))
        await node.call("Checkpoint", path=str(node.folder / "image"), options=options)
        await node.call("Wait")
        await node.call("Delete")
        os.close(reader)
        reader = os.open(got, os.O_RDONLY | os.O_NONBLOCK)
        await node.create(bundle, checkpoint=str(node.folder / "image"), stdout=str(got), stdin=str(given))
        await node.call("Start")
        writer = os.open(given, os.O_WRONLY)
        os.write(writer, b"typed\n")
        os.close(writer)
        await node.call("CloseIO", stdin=True)
        (bundle / "rootfs" / "go").touch()
        assert (await node.call("Wait")).exit_status == 0
        await node.call("Delete")
        assert os.read(reader, 100) == b"typed\nend\n"
        os.close(reader)

    scenario(body)


async def replace(node: Any) -> None:
    """Kill the monitor and start another one."""
    client = await node.client()
    await asyncio.to_thread(node.stop, signal.SIGKILL)
    await client.close()
    node.start()


@pytest.mark.skipif(shutil.which("criu") is None, reason="needs criu to be installed")
def test_what_waits_to_be_restored_waits_for_the_next_monitor(scenario: Any) -> None:
    async def body(node: Any) -> None:
        image = node.folder / "image"
        node.binary = str(oci_runtimes.checkpointing(node.folder))
        bundle = node.bundle("sleep", "1000")
        await node.create(bundle)
        await node.call("Start")
        options = typeurls.pack(runc_options.CheckpointOptions(exit=True))
        await node.call("Checkpoint", path=str(image), options=options)
        assert (await node.call("Wait")).exit_status == 137
        await node.call("Delete")
        await node.create(bundle, checkpoint=str(image))
        await replace(node)
        assert await node.status() == "CREATED"
        with pytest.raises(errors.NotFound):
            await node.call("Kill", signal=signal.SIGKILL)
        pid = (await node.call("Start")).pid
        assert await node.status() == "RUNNING"
        assert pid in [each.pid for each in (await node.call("Pids")).processes]
        await replace(node)
        assert await node.status() == "RUNNING"
        await node.call("Kill", signal=signal.SIGKILL)
        assert (await node.call("Wait")).exit_status in (137, 255)
        await node.call("Delete")
        await node.create(bundle, checkpoint=str(image))
        await replace(node)
        await node.call("Delete")
        with pytest.raises(errors.NotFound):
            await node.status()

    scenario(body)
