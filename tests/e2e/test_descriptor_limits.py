"""How many files may be open in a container whose specification does not say: as many as under containerd.

Daemon and monitor raise their own limit, which is nobody's business but theirs.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from moorage_client import containers
from moorage_client.clients import connect
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.tasks import Stdio
from moorage_testkit.daemons import Daemon, Program, containerd, directory, moorage

SOFT, HARD = 777, 4096
NAMESPACE = "limits"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("runc", "busybox", "containerd", "prlimit"))),
    reason="needs root, runc, busybox, containerd and prlimit",
)


def specification(folder: Path) -> dict[str, object]:
    """Of a container that tells its limits, and has none of its own."""
    rootfs = folder / "rootfs"
    (rootfs / "bin").mkdir(parents=True)
    shutil.copy2(shutil.which("busybox") or "busybox", rootfs / "bin" / "sh")
    subprocess.run(["runc", "spec"], cwd=folder, check=True)
    spec: dict[str, object] = json.loads((folder / "config.json").read_text())
    process, linux = spec["process"], spec["linux"]
    assert isinstance(process, dict) and isinstance(linux, dict)
    process.update(terminal=False, args=["sh", "-c", "ulimit -Sn; ulimit -Hn"])
    process.pop("rlimits", None)
    linux["cgroupsPath"] = f"/{NAMESPACE}/c"
    return {**spec, "root": {"path": str(rootfs), "readonly": True}}


async def tell(address: str, folder: Path) -> list[int]:
    """What a container says of its limits."""
    spec = specification(folder)
    ends = []
    for name in ("out", "err"):
        os.mkfifo(folder / name)
        ends.append(os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    async with connect(address, NAMESPACE) as client:
        record = Container("c", Runtime("io.containerd.runc.v2"), spec=containers.spec_payload(spec))
        await client.containers.create(record)
        await client.tasks.create("c", stdio=Stdio(stdout=str(folder / "out"), stderr=str(folder / "err")))
        await client.tasks.start("c")
        await client.tasks.wait("c")
        said = os.read(ends[0], 100)
        await client.tasks.delete("c")
        await client.containers.delete("c")
    for end in ends:
        os.close(end)
    return [int(word) for word in said.split()]


def limited(program: Program) -> Program:
    return Program(("prlimit", f"--nofile={SOFT}:{HARD}", *program.command), program.config, program.env)


def ask(program: Program) -> tuple[list[int], list[str]]:
    """What a container says, and the lines about open files of the limits of its daemon."""
    with directory() as base, Daemon(limited(program), base, namespaces=[NAMESPACE]) as daemon:
        said = asyncio.run(tell(daemon.address, base))
        limits = Path(f"/proc/{daemon.pid}/limits").read_text().splitlines()
        return said, next(line.split() for line in limits if "open files" in line)[3:5]


def test_limits_are_those_that_containerd_gives() -> None:
    theirs, _ = ask(containerd())
    ours, own = ask(moorage())
    # The soft one is what runc makes of it, for versions of it raise their own as well.
    assert ours == theirs and ours[1] == HARD
    assert own == [str(HARD)] * 2
