"""What a task lives through, on both daemons: hooks, waiters, signals to all, figures, memory that runs out."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import typeurls
from moorage_api.messages import containers, runc_options, task_types
from moorage_sdk import errors
from moorage_testkit import daemons, oci_runtimes
from moorage_testkit.daemons import Daemon

SPEC = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
PROCESS = "types.containerd.io/opencontainers/runtime-spec/1/Process"
RESOURCES = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"


class Life:
    """A container that runs a script, and the calls of the tasks service about it."""

    def __init__(self, client: Any, spec: dict[str, Any], script: str, **linux: Any) -> None:
        self.client, self.id = client, f"life-{uuid.uuid4().hex[:8]}"
        self.process = spec["process"]
        self.whole = {**spec, "process": {**self.process, "args": ["sh", "-c", script]}}
        self.whole["linux"] = {**spec["linux"], "cgroupsPath": f"/moorage-wire-{self.id}", **linux}
        self.options: Any = None

    async def __aenter__(self) -> Life:
        runtime = containers.Container.Runtime(name="io.containerd.runc.v2", options=self.options)
        spec = Packed(type_url=SPEC, value=json.dumps(self.whole).encode())
        made = containers.Container(id=self.id, runtime=runtime, spec=spec)
        await self.client.ask("containers", "Create", {"container": made})
        return self

    async def __aexit__(self, *ignored: object) -> None:
        await self.verdict("Resume")
        if await self.verdict("Kill", signal=9, all=True) == "OK":
            await self.verdict("Wait")
        await self.verdict("Delete")
        await self.client.ask("containers", "Delete", {"id": self.id})

    async def ask(self, method: str, **fields: Any) -> Any:
        return await self.client.ask("tasks", method, {"container_id": self.id, **fields})

    async def verdict(self, method: str, **fields: Any) -> str:
        return str(await self.client.verdict("tasks", method, {"container_id": self.id, **fields}))

    async def exec(self, exec_id: str, script: str) -> int:
        """Its pid."""
        process = json.dumps({**self.process, "args": ["sh", "-c", script]}).encode()
        await self.ask("Exec", exec_id=exec_id, spec=Packed(type_url=PROCESS, value=process))
        return int((await self.ask("Start", exec_id=exec_id)).pid)

    async def metrics(self) -> Any:
        filters = [f"id=={self.id}"]
        (metric,) = (await self.client.ask("tasks", "Metrics", {"filters": filters})).metrics
        return typeurls.unpack(metric.data)


def hook(folder: Path, name: str, code: int = 0) -> dict[str, Any]:
    """A program that writes down its name, a variable of its environment, where it works, and the state it is told."""
    path = folder / name
    path.write_text(
        f'#!/bin/sh\necho "{name} $WORD $(pwd) $(cat)" >> {folder}/told\necho "{name} says no" >&2\nexit {code}\n'
    )
    path.chmod(0o755)
    return {"path": str(path), "args": [name], "env": [f"WORD=of-{name}", "PATH=/bin:/usr/bin"]}


def told(folder: Path) -> list[tuple[str, str, str, str]]:
    lines = (line.split(" ", 3) for line in (folder / "told").read_text().splitlines())
    return [(name, word, where, json.loads(state)["status"]) for name, word, where, state in lines]


def test_hooks_in_their_order(both: Any, spec: dict[str, Any], tmp_path: Path) -> None:
    async def talk(client: Any) -> None:
        life = Life(client, spec, "sleep 60")
        names = ("prestart", "createRuntime", "poststart", "poststop")
        life.whole["hooks"] = {name: [hook(tmp_path, name)] for name in names}
        async with life:
            bundle = str(both.daemon.state / "io.containerd.runtime.v2.task" / "wire" / life.id)
            await life.ask("Create")
            assert [each[0] for each in told(tmp_path)][:2] == ["prestart", "createRuntime"]
            await life.ask("Start")
            assert [each[:2] for each in told(tmp_path)] == [(name, f"of-{name}") for name in names[:3]]
            await life.ask("Kill", signal=9)
            await life.ask("Wait")
            assert len(told(tmp_path)) == 3
            await life.ask("Delete")
            assert (told(tmp_path)[3][0], told(tmp_path)[3][3]) == ("poststop", "stopped")
            assert {each[2] for each in told(tmp_path)} == {bundle}

    both.run(talk)


@pytest.mark.parametrize("name", ["prestart", "createRuntime", "poststart"])
def test_a_hook_that_fails_is_told_and_the_container_is_gone(
    both: Any, spec: dict[str, Any], tmp_path: Path, name: str
) -> None:
    async def talk(client: Any) -> None:
        life = Life(client, spec, "sleep 60")
        life.whole["hooks"] = {name: [hook(tmp_path, name, 3)]}
        async with life:
            with pytest.raises(errors.Error, match=r"running \w*? ?hook #0.*exit status 3.*says no"):
                await life.ask("Create")
                await life.ask("Start")
            if name != "poststart":
                assert await life.verdict("Get") == "NotFound"

    both.run(talk)


def test_a_hundred_wait_before_the_start_and_after_the_end(both: Any, spec: dict[str, Any]) -> None:
    async def talk(client: Any) -> None:
        async with Life(client, spec, "sleep 0.3; exit 42") as life:
            await life.ask("Create")
            waiting = [asyncio.create_task(life.ask("Wait")) for _ in range(100)]
            await asyncio.sleep(0.1)
            assert not any(each.done() for each in waiting)
            await life.ask("Start")
            early = await asyncio.gather(*waiting)
            late = await asyncio.gather(*(life.ask("Wait") for _ in range(100)))
            assert {each.exit_status for each in (*early, *late)} == {42}
            assert len({(each.exited_at.seconds, each.exited_at.nanos) for each in (*early, *late)}) == 1

    both.run(talk)


def test_pids_say_which_exec_they_are(both: Any, spec: dict[str, Any]) -> None:
    async def talk(client: Any) -> None:
        async with Life(client, spec, "sleep 60") as life:
            await life.ask("Create")
            await life.ask("Start")
            pids = {name: await life.exec(name, "sleep 60") for name in ("one", "two", "three")}
            found = {each.pid: each.info for each in (await life.ask("ListPids")).processes}
            named = {typeurls.unpack(info).exec_id: pid for pid, info in found.items() if info.type_url}
            assert named == pids
            assert len(found) == 4
            await life.ask("Kill", exec_id="two", signal=9)
            assert (await life.ask("Wait", exec_id="two")).exit_status == 137
            await life.ask("DeleteProcess", exec_id="two")
            again = await life.exec("two", "exit 5")
            assert again not in pids.values()
            assert (await life.ask("Wait", exec_id="two")).exit_status == 5

    both.run(talk)


def test_a_signal_to_all_reaches_all(both: Any, spec: dict[str, Any]) -> None:
    """Also those that share the host's pid namespace, which do not end with init."""

    async def talk(client: Any) -> None:
        namespaces = [each for each in spec["linux"]["namespaces"] if each["type"] != "pid"]
        async with Life(client, spec, "sleep 60 & sleep 60 & wait", namespaces=namespaces) as life:
            await life.ask("Create")
            await life.ask("Start")
            pids: list[int] = []
            async with asyncio.timeout(10):
                while len(pids) < 3:
                    pids = [each.pid for each in (await life.ask("ListPids")).processes]
            await life.ask("Kill", signal=9, all=True)
            assert (await life.ask("Wait")).exit_status == 137
            async with asyncio.timeout(10):
                while any(Path(f"/proc/{pid}").exists() for pid in pids):
                    await asyncio.sleep(0.02)

    both.run(talk)


def test_an_update_shows_in_the_figures(both: Any, spec: dict[str, Any]) -> None:
    async def talk(client: Any) -> None:
        async with Life(client, spec, "sleep 60") as life:
            await life.ask("Create")
            for limit in (64 << 20, 48 << 20):  # before the start, and after
                value = json.dumps({"memory": {"limit": limit}, "pids": {"limit": limit >> 20}}).encode()
                await life.ask("Update", resources=Packed(type_url=RESOURCES, value=value))
                figures = await life.metrics()
                usage = getattr(figures.memory, "usage_limit", 0) or figures.memory.usage.limit
                assert (usage, figures.pids.limit) == (limit, limit >> 20)
                await life.verdict("Start")
            value = b'{"memory":{"limit":"much"}}'
            assert await life.verdict("Update", resources=Packed(type_url=RESOURCES, value=value)) == "Error"
            assert (await life.metrics()).pids.limit == 48

    both.run(talk)


@asynccontextmanager
async def heard(client: Any, topic: str) -> AsyncIterator[list[Any]]:
    """Events of a topic as they come."""
    got: list[Any] = []
    stub = client.stub("events")
    request = stub.service.methods["Subscribe"].request(filters=[f'topic=="{topic}"'])

    async def listen() -> None:
        async for envelope in stub.receive("Subscribe", request):
            got.append(typeurls.unpack(envelope.event))

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0.2)  # containerd does not say when a subscription stands
    try:
        yield got
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


def test_memory_that_runs_out_is_an_event(both: Any, spec: dict[str, Any]) -> None:
    async def talk(client: Any) -> None:
        script = "sleep 0.5; dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 60"
        resources = {**spec["linux"].get("resources", {}), "memory": {"limit": 16 << 20}}
        async with heard(client, "/tasks/oom") as events, Life(client, spec, script, resources=resources) as life:
            await life.ask("Create")
            await life.ask("Start")
            async with asyncio.timeout(20):
                while life.id not in [event.container_id for event in events]:
                    await asyncio.sleep(0.02)
            assert (await life.ask("Get")).process.status == task_types.RUNNING

    both.run(talk)


def figures_of_one_cgroup(moorage: Any, containerd: Any, spec: dict[str, Any], **resources: Any) -> list[Any]:
    """What each says of a container of each in one cgroup, which is frozen, so that nothing changes while both look."""
    shared = f"/moorage-wire-{uuid.uuid4().hex[:8]}"
    resources = {**spec["linux"].get("resources", {}), **resources}
    got: list[Any] = []
    lives: list[Life] = []

    async def theirs(client: Any) -> None:
        async with Life(client, spec, "sleep 60", cgroupsPath=shared, resources=resources) as life:
            await life.ask("Create")
            await life.ask("Start")
            await asyncio.to_thread(moorage.run, ours)
            got.append(await life.metrics())
            await asyncio.to_thread(moorage.run, thaw)

    async def ours(client: Any) -> None:
        life = Life(client, spec, "sleep 60", cgroupsPath=shared, resources=resources)
        lives.append(await life.__aenter__())
        await life.ask("Create")
        await life.ask("Start")
        await life.ask("Pause")
        await asyncio.sleep(0.2)
        got.append(await life.metrics())

    async def thaw(client: Any) -> None:
        lives[0].client = client
        await lives[0].__aexit__()

    containerd.run(theirs)
    return got


def test_the_figures_of_one_cgroup_are_the_same_to_both(moorage: Any, containerd: Any, spec: dict[str, Any]) -> None:
    ours, theirs = figures_of_one_cgroup(
        moorage,
        containerd,
        spec,
        memory={"limit": 64 << 20, "swap": 64 << 20},
        cpu={"shares": 512, "quota": 50_000, "period": 100_000},
        pids={"limit": 50},
    )
    assert ours == theirs
    assert ours.pids.current == 2


@pytest.mark.parametrize(("note", "options", "words"), [
    ("systemd", {"systemd_cgroup": True}, "--systemd-cgroup"), ("no pivot", {"no_pivot_root": True}, "--no-pivot"),
    ("no keyring", {"no_new_keyring": True}, "--no-new-keyring"),
])  # fmt: skip
def test_options_reach_the_runtime(
    both: Any, spec: dict[str, Any], tmp_path: Path, note: str, options: dict[str, Any], words: str
) -> None:
    """By its command line. Without systemd on the host the real runtime does not get to see that it is wanted."""
    binary = oci_runtimes.recording(tmp_path, without="--systemd-cgroup")

    async def talk(client: Any) -> None:
        life = Life(client, spec, "sleep 60")
        root = tmp_path / "root"
        life.options = typeurls.pack(runc_options.Options(binary_name=str(binary), root=str(root), **options))
        async with life:
            await life.ask("Create")
            await life.ask("Start")
            assert (root / "wire" / life.id).is_dir()
            assert life.id in [each.id for each in (await client.ask("tasks", "List", {})).tasks]
            assert (await life.metrics()).pids.current > 0  # the cgroup is found by the process, whoever made it
        calls = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
        created = [line for line in calls if "create" in line]
        assert len(created) == 1 and words in created[0]
        if note == "systemd" and not both.containerd:  # whose shim forgets it when it cleans up
            assert all(words in line for line in calls if life.id in line)

    both.run(talk)


@pytest.fixture(scope="module")
def unified(moorage: Any, containerd: Any) -> Iterator[dict[str, Any]]:
    """Both daemons where there is nothing but cgroup v2, and few controllers in it."""
    with ExitStack() as stack:
        wires = {}
        for name, wire in (("moorage", moorage), ("containerd", containerd)):
            base = stack.enter_context(daemons.directory())
            program = daemons.unified(wire.daemon.program)
            daemon = stack.enter_context(Daemon(program, base, namespaces=("wire",)))
            wires[name] = type(wire)(daemon, wire.containerd)
        yield wires


def test_the_figures_of_one_cgroup_of_version_2(
    unified: dict[str, Any], peer: tuple[int, ...], spec: dict[str, Any]
) -> None:
    ours, theirs = figures_of_one_cgroup(unified["moorage"], unified["containerd"], spec)
    assert ours.DESCRIPTOR.full_name == "io.containerd.cgroups.v2.Metrics"
    assert ours.cpu.usage_usec > 0
    for figures in (ours, theirs):
        figures.hugetlb.sort(key=lambda each: each.pagesize)  # containerd's is the order of a directory
        if peer < (2,):  # which knows no pressure, and looks at nothing where the controller is not enabled
            figures.ClearField("cpu")
            figures.io.ClearField("psi")
    assert ours == theirs


@pytest.mark.parametrize("name", ["moorage", "containerd"])
def test_a_life_under_version_2_of_cgroups(unified: dict[str, Any], spec: dict[str, Any], name: str) -> None:
    async def talk(client: Any) -> None:
        async with Life(client, spec, "sleep 60 & sleep 60 & wait", resources={}) as life:
            await life.ask("Create")
            await life.ask("Start")
            extra = await life.exec("e", "sleep 60")
            async with asyncio.timeout(10):
                while len(found := (await life.ask("ListPids")).processes) < 4:
                    await asyncio.sleep(0.02)
            assert [typeurls.unpack(each.info).exec_id for each in found if each.info.type_url] == ["e"]
            assert extra in {each.pid for each in found}
            await life.ask("Pause")
            assert (await life.ask("Get")).process.status == task_types.PAUSED
            await life.ask("Kill", signal=9, all=True)
            assert (await life.ask("Wait")).exit_status == 137
            assert (await life.ask("Wait", exec_id="e")).exit_status == 137

    unified[name].run(talk)
