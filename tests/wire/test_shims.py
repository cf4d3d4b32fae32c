"""A runtime that is a binary: containerd's own shim behind our daemon, told of nothing but the shim v2 contract."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import typeurls
from moorage_api.messages import containers, events, types

SPEC = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
SHIM = shutil.which("containerd-shim-runc-v2")
BUSYBOX = Path("/bin/busybox")

pytestmark = pytest.mark.skipif(
    not (SHIM and shutil.which("runc") and BUSYBOX.exists()), reason="needs containerd's shim, runc and busybox"
)


class Case:
    """A container carried by containerd's shim, and the events that were heard of it."""

    def __init__(self, client: Any, state: Path) -> None:
        self.client, self.id = client, f"shim-{uuid.uuid4().hex[:8]}"
        self.bundle = state / "io.containerd.runtime.v2.task" / "wire" / self.id
        self.heard: list[types.Envelope] = []

    async def ask(self, method: str, **fields: Any) -> Any:
        return await self.client.ask("tasks", method, {"container_id": self.id, **fields})

    @property
    def topics(self) -> list[str]:
        return [each.topic for each in self.heard]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.02)

    async def listen(self, standing: asyncio.Event) -> None:
        stub = self.client.stub("events")
        request = stub.service.methods["Subscribe"].request(filters=[f"event.container_id=={self.id}"])
        call = self.client.channel.unary_stream(f"/{stub.service.name}/Subscribe")(request.SerializeToString())
        await call.initial_metadata()
        standing.set()
        async for data in call:
            self.heard.append(types.Envelope.FromString(data))

    def shim(self) -> int:
        """The pid of its shim, by its command line."""
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
                if SHIM and words[:1] == [SHIM.encode()] and self.id.encode() in words:
                    return int(entry.name)
        raise AssertionError("no shim")


@asynccontextmanager
async def case(client: Any, state: Path, folder: Path, script: str) -> AsyncIterator[Case]:
    made, standing = Case(client, state), asyncio.Event()
    (folder / "rootfs" / "bin").mkdir(parents=True)
    shutil.copy(BUSYBOX, folder / "rootfs" / "bin" / "sh")
    subprocess.run(["runc", "spec"], cwd=folder, check=True)
    spec = json.loads((folder / "config.json").read_text())
    spec["root"] = {"path": str(folder / "rootfs"), "readonly": True}
    spec["process"] |= {"terminal": False, "args": ["sh", "-c", script]}
    spec["linux"]["cgroupsPath"] = f"/moorage-wire-{made.id}"
    packed = Packed(type_url=SPEC, value=json.dumps(spec).encode())
    runtime = containers.Container.Runtime(name=SHIM)
    await client.ask(
        "containers", "Create", {"container": containers.Container(id=made.id, runtime=runtime, spec=packed)}
    )
    listening = asyncio.create_task(made.listen(standing))
    try:
        await asyncio.wait_for(standing.wait(), 20)
        yield made
    finally:
        listening.cancel()
        if await client.verdict("tasks", "Kill", {"container_id": made.id, "signal": 9}) == "OK":
            await made.ask("Wait")
        await client.verdict("tasks", "Delete", {"container_id": made.id})
        await client.ask("containers", "Delete", {"id": made.id})


def test_a_life_with_events_in_order(moorage: Any, tmp_path: Path) -> None:
    async def talk(client: Any) -> None:
        async with case(client, moorage.daemon.state, tmp_path, "exit 42") as made:
            pid = (await made.ask("Create")).pid
            waiting = asyncio.create_task(made.ask("Wait"))
            assert (await made.ask("Start")).pid == pid
            assert (await waiting).exit_status == 42
            assert (await made.ask("Delete")).exit_status == 42
            await made.until(lambda: "/tasks/delete" in made.topics)
            assert made.topics == ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"]
            exited = typeurls.unpack(made.heard[2].event)
            assert isinstance(exited, events.TaskExit)
            assert (exited.id, exited.pid, exited.exit_status) == (made.id, pid, 42)
            assert not made.bundle.exists()
            with pytest.raises(AssertionError):
                made.shim()

    moorage.run(talk)


def test_a_shim_that_is_killed_leaves_nothing_and_everybody_is_told(moorage: Any, tmp_path: Path) -> None:
    async def talk(client: Any) -> None:
        async with case(client, moorage.daemon.state, tmp_path, "while :; do sleep 1; done") as made:
            pid = (await made.ask("Create")).pid
            await made.ask("Start")
            waiting = asyncio.create_task(made.ask("Wait"))
            await asyncio.sleep(0.05)
            os.kill(made.shim(), signal.SIGKILL)
            assert (await asyncio.wait_for(waiting, 20)).exit_status in (137, 255)
            await made.until(lambda: "/tasks/delete" in made.topics)
            exited = typeurls.unpack(made.heard[-2].event)
            assert isinstance(exited, events.TaskExit)
            assert exited.exit_status in (137, 255)
            await made.until(lambda: not made.bundle.exists() and not running(pid))
            assert await client.verdict("tasks", "Get", {"container_id": made.id}) == "NotFound"

    moorage.run(talk)


def running(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped by whoever is init here."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
