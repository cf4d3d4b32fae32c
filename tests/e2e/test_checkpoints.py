"""Containers that are saved and go on elsewhere, by ``ctr`` and the real criu, the same on both daemons."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage_testkit.daemons import Daemon, wait_until

BUSYBOX = "docker.io/library/busybox:latest"
COUNT = "n=0; while :; do n=$((n+1)); echo $n >> /count; sleep 0.05; done"


def _criu_works() -> bool:
    return (
        bool(shutil.which("criu"))
        and not subprocess.run(["criu", "check"], capture_output=True, check=False).returncode
    )


pytestmark = pytest.mark.skipif(not _criu_works(), reason="needs a kernel and a criu that suit each other")


@pytest.fixture
def call(server: Daemon, namespace: str) -> Iterator[Any]:
    def call(*words: str) -> str:
        return server.ctr("-n", namespace, *words).stdout

    yield call
    for id in call("tasks", "ls", "-q").split():
        server.ctr("-n", namespace, "tasks", "rm", "-f", id, check=False)
    for id in call("containers", "ls", "-q").split():
        server.ctr("-n", namespace, "containers", "rm", id, check=False)


def counted(text: str) -> int:
    """To how much it counted, without a gap."""
    numbers = list(map(int, text.split()))
    assert numbers == list(range(1, len(numbers) + 1))
    return len(numbers)


def test_saved_with_its_files_and_restored(call: Any) -> None:
    id, copy, image = (f"{name}-{os.getpid()}" for name in ("first", "copy", "saved"))
    call("run", "-d", "--null-io", BUSYBOX, id, "sh", "-c", COUNT)
    time.sleep(0.5)
    call("containers", "checkpoint", "--task", "--rw", "--image", id, image)
    assert image in call("images", "ls", "-q")
    after = counted(call("tasks", "exec", "--exec-id", "e", id, "cat", "/count"))
    call("containers", "restore", "--live", "--rw", copy, image)
    wait_until(lambda: counted(call("tasks", "exec", "--exec-id", "e", copy, "cat", "/count")) > after)
    for each in (id, copy):
        assert "RUNNING" in call("tasks", "ls")
        call("tasks", "kill", "-s", "KILL", each)
    wait_until(lambda: "RUNNING" not in call("tasks", "ls"))
    call("images", "rm", image)


def test_saved_into_a_folder_and_ended(call: Any, server: Daemon, namespace: str, tmp_path: Path) -> None:
    id = f"folder-{os.getpid()}"
    call("run", "-d", "--null-io", BUSYBOX, id, "sh", "-c", COUNT)
    call(
        "tasks", "checkpoint", "--exit", "--image-path", str(tmp_path / "image"), "--work-path", str(tmp_path / "w"), id
    )
    wait_until(lambda: "STOPPED" in call("tasks", "ls"))
    assert (tmp_path / "image" / "inventory.img").exists() and (tmp_path / "w" / "dump.log").exists()
    server.ctr("-n", namespace, "tasks", "rm", id, check=False)
