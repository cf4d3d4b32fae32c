from __future__ import annotations

import asyncio
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


def test_without_criu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(errors.Unimplemented, match="criu is not installed"):
        checkpoints.needs_criu()


class Failing:
    async def checkpoint(self, image: str, work: str, flags: Any) -> None:
        Path(work).mkdir()
        Path(work, "dump.log").write_text("why")
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


def test_checkpoint_and_restore(scenario: Any) -> None:
    if shutil.which("criu") is None or subprocess.run(["criu", "check"], capture_output=True, check=False).returncode:
        pytest.skip("needs a kernel and a criu that suit each other")

    async def body(node: Any) -> None:
        host = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]
        bundle = node.bundle(
            "sh", "-c", "n=0; while :; do n=$((n+1)); echo $n > /count; sleep 0.05; done", namespaces=host
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
        count = int((bundle / "rootfs" / "count").read_text())
        await node.create(bundle, checkpoint=str(node.folder / "image"))
        assert (await node.call("State")).pid == 0
        pid = (await node.call("Start")).pid
        await asyncio.sleep(0.5)
        assert pid > 0 and int((bundle / "rootfs" / "count").read_text()) > count
        await node.call("Kill", signal=signal.SIGKILL)
        assert (await node.call("Wait")).exit_status == 137
        await node.call("Delete")
        await node.until_event("TaskDelete", pid=pid)
        assert "TaskCheckpointed" in node.names()

    scenario(body)
