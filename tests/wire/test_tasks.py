"""Tasks out of order, on both daemons: each scenario is a list of calls, and what each got."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.messages import containers, task_types

SPEC = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
PROCESS = "types.containerd.io/opencontainers/runtime-spec/1/Process"


class Container:
    """A container under a name of its own; the methods are those of the tasks service."""

    def __init__(self, client: Any, spec: dict[str, Any], script: str) -> None:
        self.client, self.id = client, f"task-{uuid.uuid4().hex[:8]}"
        self.process = spec["process"]
        spec = {**spec, "process": {**spec["process"], "args": ["sh", "-c", script]}}
        spec["linux"] = {**spec["linux"], "cgroupsPath": f"/moorage-wire-{self.id}"}
        self.spec = json.dumps(spec).encode()

    async def __aenter__(self) -> Container:
        runtime = containers.Container.Runtime(name="io.containerd.runc.v2")
        made = containers.Container(id=self.id, runtime=runtime, spec=Packed(type_url=SPEC, value=self.spec))
        await self.client.ask("containers", "Create", {"container": made})
        return self

    async def __aexit__(self, *ignored: object) -> None:
        if await self.verdict("Kill", signal=9, all=True) == "OK":
            await self.verdict("Wait")
        await self.verdict("Delete")
        await self.client.ask("containers", "Delete", {"id": self.id})

    async def ask(self, method: str, **fields: Any) -> Any:
        return await self.client.ask("tasks", method, {"container_id": self.id, **fields})

    async def verdict(self, method: str, **fields: Any) -> str:
        return str(await self.client.verdict("tasks", method, {"container_id": self.id, **fields}))

    async def exec(self, exec_id: str, script: str) -> str:
        process = json.dumps({**self.process, "args": ["sh", "-c", script]}).encode()
        return await self.verdict("Exec", exec_id=exec_id, spec=Packed(type_url=PROCESS, value=process))

    async def status(self, exec_id: str = "") -> int:
        return int((await self.ask("Get", exec_id=exec_id)).process.status)


def test_before_a_task_there_is_nothing_to_do(both: Any, spec: dict[str, Any]) -> None:
    async def talk(client: Any) -> None:
        async with Container(client, spec, "sleep 60") as container:
            for method in ("Start", "Get", "Delete", "Pause", "Resume", "ListPids", "Wait"):
                assert await container.verdict(method) == "NotFound", method

    both.run(talk)


def test_created_is_not_yet_running(both: Any, spec: dict[str, Any]) -> None:
    async def talk(client: Any) -> None:
        async with Container(client, spec, "sleep 60") as container:
            pid = (await container.ask("Create")).pid
            assert await container.verdict("Create") == "AlreadyExists"
            process = (await container.ask("Get")).process
            assert (process.id, process.pid, process.status) == (container.id, pid, task_types.CREATED)
            assert await container.verdict("Delete") == "OK"
            assert await container.verdict("Get") == "NotFound"
            assert await container.verdict("Create") == "OK"

    both.run(talk)


def test_running_cannot_be_started_or_deleted(both: Any, spec: dict[str, Any]) -> None:
    async def talk(client: Any) -> None:
        async with Container(client, spec, "sleep 60") as container:
            pid = (await container.ask("Create")).pid
            assert (await container.ask("Start")).pid == pid
            assert await container.status() == task_types.RUNNING
            assert await container.verdict("Start") != "OK"
            assert await container.verdict("Delete") != "OK"
            assert await container.status() == task_types.RUNNING
            assert [each.pid for each in (await container.ask("ListPids")).processes] == [pid]

    both.run(talk)


@pytest.mark.parametrize(("script", "signal", "status"), [("exit 42", 0, 42), ("sleep 60", 9, 137)])
def test_exit_status(both: Any, spec: dict[str, Any], script: str, signal: int, status: int) -> None:
    async def talk(client: Any) -> None:
        async with Container(client, spec, script) as container:
            pid = (await container.ask("Create")).pid
            await container.ask("Start")
            if signal:
                await container.ask("Kill", signal=signal)
            waited = await container.ask("Wait")
            assert waited.exit_status == status
            process = (await container.ask("Get")).process
            assert (process.status, process.exit_status) == (task_types.STOPPED, waited.exit_status)
            assert process.exited_at == waited.exited_at
            deleted = await container.ask("Delete")
            assert (deleted.id, deleted.pid, deleted.exit_status) == ("", pid, waited.exit_status)
            assert deleted.exited_at == waited.exited_at

    both.run(talk)


def test_stopped_is_gone_for_signals_and_execs(both: Any, spec: dict[str, Any]) -> None:
    async def talk(client: Any) -> None:
        async with Container(client, spec, "exit 0") as container:
            await container.ask("Create")
            await container.ask("Start")
            await container.ask("Wait")
            assert await container.verdict("Wait") == "OK"
            assert await container.verdict("Kill", signal=9) == "NotFound"
            assert await container.verdict("Start") != "OK"
            assert await container.exec("late", "exit 0") == "OK" or both.daemon
            assert await container.verdict("Start", exec_id="late") != "OK"
            assert await container.verdict("Delete") == "OK"
            assert await container.verdict("Wait") == "NotFound"

    both.run(talk)


def test_execs_have_states_of_their_own(both: Any, spec: dict[str, Any]) -> None:
    async def talk(client: Any) -> None:
        async with Container(client, spec, "sleep 60") as container:
            await container.ask("Create")
            await container.ask("Start")
            for _ in range(2):  # an id can be used again once its process was deleted
                assert await container.exec("e", "exit 7") == "OK"
                assert await container.exec("e", "exit 7") == "AlreadyExists"
                assert await container.status("e") == task_types.CREATED
                assert (await container.ask("Start", exec_id="e")).pid > 0
                assert (await container.ask("Wait", exec_id="e")).exit_status == 7
                assert await container.status("e") == task_types.STOPPED
                assert await container.verdict("Kill", exec_id="e", signal=9) == "NotFound"
                deleted = await container.ask("DeleteProcess", exec_id="e")
                assert (deleted.id, deleted.exit_status) == ("e", 7)
                assert await container.verdict("Get", exec_id="e") == "NotFound"
            assert await container.exec("", "exit 0") == "InvalidArgument"
            assert await container.status() == task_types.RUNNING

    both.run(talk)


def test_a_binary_that_is_not_there_is_named(both: Any, spec: dict[str, Any]) -> None:
    async def talk(client: Any) -> None:
        spec_without = {**spec, "process": {**spec["process"]}}
        async with Container(client, spec_without, "exit 0") as container:
            container_spec = json.loads(container.spec)
            container_spec["process"]["args"] = ["/no/such/binary"]
            await client.ask(
                "containers",
                "Update",
                {
                    "container": containers.Container(
                        id=container.id, spec=Packed(type_url=SPEC, value=json.dumps(container_spec).encode())
                    ),
                    "update_mask": {"paths": ["spec"]},
                },
            )
            with pytest.raises(Exception, match=r"no such file or directory|executable file not found"):
                await container.ask("Create")
            assert await container.verdict("Get") == "NotFound"

    both.run(talk)


def test_paused_and_resumed(both: Any, spec: dict[str, Any]) -> None:
    async def talk(client: Any) -> None:
        async with Container(client, spec, "sleep 60") as container:
            await container.ask("Create")
            await container.ask("Start")
            await container.ask("Pause")
            assert await container.status() == task_types.PAUSED
            await container.ask("Resume")
            assert await container.status() == task_types.RUNNING

    if not os.access("/sys/fs/cgroup", os.W_OK):
        pytest.skip("cgroups cannot be written")
    both.run(talk)


def test_output_and_terminal_are_remembered(both: Any, spec: dict[str, Any], tmp_path: Path) -> None:
    async def talk(client: Any) -> None:
        output = tmp_path / f"{both.containerd}.log"
        async with Container(client, spec, "echo hello") as container:
            await container.ask("Create", stdout=f"file://{output}", stderr=f"file://{output}")
            process = (await container.ask("Get")).process
            assert (process.stdin, process.stdout, process.terminal) == ("", f"file://{output}", False)
            await container.ask("Start")
            await container.ask("Wait")
            await container.ask("Delete")
            assert output.read_text() == "hello\n"

    both.run(talk)
