"""A runtime that is a binary: containerd's own shim behind our daemon, told of nothing but the shim v2 contract.

The host's, and the one that ``MOORAGE_SHIM`` names: it may be of a containerd that starts its shims by other words.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import typeurls
from moorage_api.messages import containers, events, task_types, types
from moorage_sdk import errors

SPEC = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
SHIMS = {"host": shutil.which("containerd-shim-runc-v2"), "named": os.environ.get("MOORAGE_SHIM")}
GROUP = "io.containerd.runc.v2.group"
POD = "io.kubernetes.cri.sandbox-id"
"""Annotations by which it puts containers into one process (groupLabels in its manager_linux.go)."""
BUSYBOX = Path("/bin/busybox")

pytestmark = pytest.mark.skipif(not (shutil.which("runc") and BUSYBOX.exists()), reason="needs runc and busybox")


@pytest.fixture(params=SHIMS)
def shim(request: pytest.FixtureRequest) -> str:
    if not (path := SHIMS[request.param]):
        pytest.skip("needs containerd's shim" if request.param == "host" else "needs MOORAGE_SHIM")
    return str(path)


class Case:
    """A container carried by containerd's shim, and the events that were heard of it."""

    def __init__(self, client: Any, state: Path, shim: str) -> None:
        self.client, self.id, self.path = client, f"shim-{uuid.uuid4().hex[:8]}", shim
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

    def shims(self) -> list[int]:
        """The pids of shims that were started for it, by their command line."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
                if words[:1] == [self.path.encode()] and self.id.encode() in words:
                    found.append(int(entry.name))
        return found

    async def run(self, *argv: str, exec_id: str = "more") -> int:
        """The exit status of another process in it."""
        process = {"args": list(argv), "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}
        spec = typeurls.pack_json(typeurls.PROCESS, process)
        await self.ask("Exec", exec_id=exec_id, spec=spec)
        waiting = asyncio.create_task(self.ask("Wait", exec_id=exec_id))
        await self.ask("Start", exec_id=exec_id)
        status = int((await waiting).exit_status)
        assert (await self.ask("DeleteProcess", exec_id=exec_id)).exit_status == status
        return status


@asynccontextmanager
async def case(
    client: Any,
    state: Path,
    folder: Path,
    shim: str,
    script: str,
    annotations: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Case]:
    made, standing = Case(client, state, shim), asyncio.Event()
    (folder / "rootfs" / "bin").mkdir(parents=True)
    shutil.copy(BUSYBOX, folder / "rootfs" / "bin" / "sh")
    subprocess.run(["runc", "spec"], cwd=folder, check=True)
    spec = json.loads((folder / "config.json").read_text())
    spec["root"] = {"path": str(folder / "rootfs"), "readonly": True}
    spec["process"] |= {"terminal": False, "args": ["sh", "-c", script]}
    spec["annotations"] = dict(annotations)
    spec["linux"]["cgroupsPath"] = f"/moorage-wire-{made.id}"
    packed = Packed(type_url=SPEC, value=json.dumps(spec).encode())
    runtime = containers.Container.Runtime(name=shim)
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


def test_a_life_with_events_in_order(moorage: Any, tmp_path: Path, shim: str) -> None:
    async def talk(client: Any) -> None:
        async with case(client, moorage.daemon.state, tmp_path, shim, "exit 42") as made:
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
            assert not made.bundle.exists() and not made.shims()

    moorage.run(talk)


def test_all_that_a_client_asks_of_a_running_task(moorage: Any, tmp_path: Path, shim: str) -> None:
    async def talk(client: Any) -> None:
        script = "trap 'exit 7' TERM; while :; do sleep 0.05; done"
        async with case(client, moorage.daemon.state, tmp_path, shim, script) as made:
            pid = (await made.ask("Create")).pid
            waiting = asyncio.create_task(made.ask("Wait"))
            await made.ask("Start")
            assert [await made.run("sh", "-c", f"exit {status}") for status in (0, 3)] == [0, 3]
            await made.ask("Pause")
            assert (await made.ask("Get")).process.status == task_types.PAUSED
            await made.ask("Resume")
            assert (await made.ask("Get")).process.status == task_types.RUNNING
            assert pid in {each.pid for each in (await made.ask("ListPids")).processes}
            filters = [f"id=={made.id}"]
            (metric,) = (await client.ask("tasks", "Metrics", {"filters": filters})).metrics
            assert metric.id == made.id and metric.data.value
            assert await client.verdict("tasks", "Delete", {"container_id": made.id}) != "OK"  # it runs
            assert made.id in {each.id for each in (await client.ask("tasks", "List")).tasks}
            await made.ask("Kill", signal=signal.SIGTERM)
            assert (await waiting).exit_status == 7
            assert await client.verdict("tasks", "Kill", {"container_id": made.id, "signal": 9}) == "NotFound"
            await made.ask("Delete")
            await made.until(lambda: "/tasks/delete" in made.topics)
            execs = [each for each in made.topics if "exec" in each]
            assert execs == ["/tasks/exec-added", "/tasks/exec-started"] * 2
            assert made.topics.count("/tasks/exit") == 3

    moorage.run(talk)


def test_what_lies_in_the_bundle(moorage: Any, tmp_path: Path, shim: str) -> None:
    async def talk(client: Any) -> None:
        async with case(client, moorage.daemon.state, tmp_path, shim, "exit 0") as made:
            await made.ask("Create")
            assert (made.bundle / "shim-binary-path").read_text() == shim
            told = json.loads((made.bundle / "bootstrap.json").read_text())
            assert told["protocol"] == "ttrpc" and told["version"] in (2, 3)
            assert Path(told["address"].removeprefix("unix://")).is_socket()
            assert (made.bundle / "log").is_fifo()
            assert (made.bundle / "work").readlink() == moorage.daemon.root / made.bundle.relative_to(
                moorage.daemon.state
            )

    moorage.run(talk)


@pytest.mark.parametrize("annotation", [GROUP, POD])
def test_containers_of_a_group_have_one_shim_until_the_last_is_gone(
    moorage: Any, tmp_path: Path, shim: str, annotation: str
) -> None:
    async def talk(client: Any) -> None:
        state, script = moorage.daemon.state, "while :; do sleep 0.05; done"
        group = {annotation: f"group-{uuid.uuid4().hex[:8]}"}
        async with (
            case(client, state, tmp_path / "a", shim, script, group) as first,
            case(client, state, tmp_path / "b", shim, script, group) as second,
        ):
            for each in (first, second):
                await each.ask("Create")
                await each.ask("Start")
            (pid,) = first.shims()
            assert second.shims() == []
            await first.ask("Kill", signal=9)
            assert (await first.ask("Wait")).exit_status == 137
            await first.ask("Delete")
            assert first.shims() == [pid]
            assert await second.run("sh", "-c", "exit 5") == 5
            await second.ask("Kill", signal=9)
            await second.ask("Wait")
            await second.ask("Delete")
            await second.until(lambda: not first.shims())

    moorage.run(talk)


def test_the_end_of_a_shim_is_the_end_of_its_group(moorage: Any, tmp_path: Path, shim: str) -> None:
    async def talk(client: Any) -> None:
        state, script = moorage.daemon.state, "while :; do sleep 0.05; done"
        group = {GROUP: f"group-{uuid.uuid4().hex[:8]}"}
        async with (
            case(client, state, tmp_path / "a", shim, script, group) as first,
            case(client, state, tmp_path / "b", shim, script, group) as second,
        ):
            pids = []
            for each in (first, second):
                pids.append((await each.ask("Create")).pid)
                await each.ask("Start")
            waits = [asyncio.create_task(each.ask("Wait")) for each in (first, second)]
            await asyncio.sleep(0.05)
            os.kill(first.shims()[0], signal.SIGKILL)
            for wait in waits:
                assert (await asyncio.wait_for(wait, 20)).exit_status in (137, 255)
            for each in (first, second):
                await each.until(lambda: not first.bundle.exists() and not second.bundle.exists())
                await each.until(lambda each=each: each.topics[-2:] == ["/tasks/exit", "/tasks/delete"])  # type: ignore[misc]
            await first.until(lambda: not any(map(running, pids)))

    moorage.run(talk)


def test_what_a_shim_says_of_itself(moorage: Any, shim: str) -> None:
    async def talk(client: Any) -> None:
        request = types.RuntimeRequest(runtime_path=shim)
        fields = {"type": "io.containerd.runtime.v2", "id": "task", "options": typeurls.pack(request)}
        try:
            said = await client.ask("introspection", "PluginInfo", fields)
        except errors.Unavailable as error:
            assert "flag provided but not defined: -info" in str(error)  # one of before containerd 2.0
            return
        told = typeurls.unpack(said.extra)
        assert isinstance(told, types.RuntimeInfo)
        assert told.name == "io.containerd.runc.v2" and told.version.version

    moorage.run(talk)


def test_a_shim_that_is_killed_leaves_nothing_and_everybody_is_told(moorage: Any, tmp_path: Path, shim: str) -> None:
    async def talk(client: Any) -> None:
        async with case(client, moorage.daemon.state, tmp_path, shim, "while :; do sleep 1; done") as made:
            pid = (await made.ask("Create")).pid
            await made.ask("Start")
            waiting = asyncio.create_task(made.ask("Wait"))
            await asyncio.sleep(0.05)
            os.kill(made.shims()[0], signal.SIGKILL)
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
