"""Tasks: what both daemons answer, call by call, in order and out of it."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from typing import Any

import pytest

SPEC = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
PROCESS = "types.containerd.io/opencontainers/runtime-spec/1/Process"
RESOURCES = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"

METHODS = ("Start", "Get", "Kill", "Delete", "Pause", "Resume", "ListPids", "Wait", "ResizePty", "CloseIO", "Update",
           "Checkpoint", "DeleteProcess", "Exec")  # fmt: skip


class Task:
    """The task of a container that runs a script, and the calls about it."""

    def __init__(self, say: Any, spec: dict[str, Any], script: str, **process: Any) -> None:
        self.say, self.process = say, {**spec["process"], **process}
        say.passed_over.append("/tasks/delete")  # containerd's shim may be shut down before it told
        self.starts: Counter[str] = Counter()
        self.id = f"task-{zlib.crc32(say.name.encode()):x}"
        cgroup = {"cgroupsPath": f"/moorage-wire-{self.id}"}
        whole = {
            **spec,
            "process": {**self.process, "args": ["sh", "-c", script]},
            "linux": {**spec["linux"], **cgroup},
        }
        self.spec = json.dumps(whole).encode()

    async def __aenter__(self) -> Task:
        container = {
            "id": self.id,
            "runtime": {"name": "io.containerd.runc.v2"},
            "spec": {"type_url": SPEC, "value": self.spec},
        }
        await self.say.client.ask("containers", "Create", {"container": container}, namespace=self.say.namespace)
        return self

    async def __aexit__(self, *ignored: object) -> None:
        await self.say.end()
        for method, fields in (("Kill", {"signal": 9, "all": True}), ("Wait", {}), ("Delete", {})):
            about = {"container_id": self.id, **fields}
            await self.say.client.verdict("tasks", method, about, namespace=self.say.namespace)
        await self.say.client.verdict("containers", "Delete", {"id": self.id}, namespace=self.say.namespace)

    async def __call__(self, method: str, note: str = "", **fields: Any) -> Any:
        got = await self.say("tasks", method, note, container_id=self.id, **fields)
        if method == "Start" and got is not None:  # the answer may come before the event
            topic = "/tasks/exec-started" if fields.get("exec_id") else "/tasks/start"
            self.starts[topic] += 1
            await self.say.hear(topic, self.starts[topic])
        return got

    async def exec(self, exec_id: str, script: str, note: str = "") -> None:
        process = json.dumps({**self.process, "args": ["sh", "-c", script]}).encode()
        await self("Exec", f"{exec_id} {note}", exec_id=exec_id, spec={"type_url": PROCESS, "value": process})


def test_life(same: Any, spec: dict[str, Any]) -> None:
    async def play(say: Any) -> None:
        async with Task(say, spec, "sleep 60") as task:
            await task("Create", "first")
            await task("Create", "again")
            await task("Get", "created")
            await say("tasks", "List", "created")
            await task("Start", "first")
            await task("Start", "again")
            await task("Get", "running")
            await say("tasks", "List", "running", filter="nonsense==")
            await task("ListPids", "one")
            await task("Delete", "running")
            await task("Update", "memory", resources={"type_url": RESOURCES, "value": b'{"memory":{"limit":67108864}}'})
            await task("ResizePty", "no terminal", width=80, height=24)
            await task("CloseIO", "no input", stdin=True)
            await task("CloseIO", "nothing")
            await task("Kill", "no such signal", signal=99)
            await task("Kill", "none", signal=0)
            await task("Kill", "to end it", signal=9)
            await task("Wait", "ended")
            await say.hear("/tasks/exit")
            await task("Wait", "again")
            await task("Get", "stopped")
            await task("Kill", "stopped", signal=9)
            await task("Start", "stopped")
            await task("Pause", "stopped")
            await task("Resume", "stopped")
            await task("ListPids", "stopped")
            await task(
                "Update", "stopped", resources={"type_url": RESOURCES, "value": b'{"memory":{"limit":67108864}}'}
            )
            await task.exec("late", "exit 0")
            await task("Delete", "stopped")
            for method in METHODS:
                await task(method, "deleted", **{"exec_id": "e"} if method == "Exec" else {})
            await say("tasks", "List", "none")

    same(play)


def test_execs(same: Any, spec: dict[str, Any]) -> None:
    async def play(say: Any) -> None:
        async with Task(say, spec, "sleep 60") as task:
            await task("Create")
            await task.exec("early", "exit 3")
            await task("Get", "early", exec_id="early")
            await task("Start", "early", exec_id="early")
            await task("Start")
            await task.exec("e", "exit 7")
            await task.exec("e", "exit 7", "again")
            await task("Get", "created", exec_id="e")
            await task("Kill", "created", exec_id="e", signal=9)
            await task("DeleteProcess", "created", exec_id="e")
            await task.exec("e", "exit 7", "once more")
            await task("Start", "exec", exec_id="e")
            await task("Wait", "exec", exec_id="e")
            await say.hear("/tasks/exit")
            await task("Get", "ended", exec_id="e")
            await task("Start", "ended", exec_id="e")
            await task("Kill", "ended", exec_id="e", signal=9)
            await task("ResizePty", "ended", exec_id="e", width=1, height=1)
            await task("CloseIO", "ended", exec_id="e", stdin=True)
            await task("DeleteProcess", "ended", exec_id="e")
            for method in ("Get", "Start", "Kill", "Wait", "DeleteProcess", "ResizePty", "CloseIO"):
                await task(method, "deleted", exec_id="e")
            await task.exec("long", "sleep 60")
            await task("Start", "long", exec_id="long")
            await task("DeleteProcess", "running", exec_id="long")
            await task("ListPids", "two")
            await task("Kill", "long", exec_id="long", signal=15)
            await task("Wait", "long", exec_id="long")
            await say.hear("/tasks/exit", 2)
            await task("DeleteProcess", "long", exec_id="long")
            await task("DeleteProcess", "no id")

    same(play)


@pytest.mark.parametrize("exec_id", ["", "../x", "a/b", "-a", "x" * 77, "é"])
def test_ids_of_execs(same: Any, spec: dict[str, Any], exec_id: str) -> None:
    async def play(say: Any) -> None:
        async with Task(say, spec, "sleep 60") as task:
            await task("Create")
            await task("Start")
            await task.exec(exec_id, "exit 0")
            await task("DeleteProcess", exec_id=exec_id)

    same(play)


def test_pausing(same: Any, spec: dict[str, Any]) -> None:
    async def play(say: Any) -> None:
        async with Task(say, spec, "sleep 60") as task:
            await task("Create")
            await task("Pause", "created")
            await task("Resume", "created")
            await task("Start")
            await task("Resume", "running")
            await task("Pause", "running")
            await task("Pause", "paused")
            await task("Get", "paused")
            await task.exec("e", "exit 0")
            await task("Start", "exec in a paused one", exec_id="e")
            await task("Delete", "paused")
            await task("Resume", "paused")
            await task("Get", "running")
            await task("Pause", "again")
            await task("Kill", "paused", signal=9)
            await task("Resume", "killed")
            await task("Wait", "killed")

    same(play)


@pytest.mark.parametrize(("script", "signal"), [("exit 0", 0), ("exit 42", 0), ("exit 255", 0), ("sleep 60", 9),
                                                ("trap 'exit 3' TERM; while :; do :; done & wait", 15)])  # fmt: skip
def test_exit_status(same: Any, spec: dict[str, Any], script: str, signal: int) -> None:
    async def play(say: Any) -> None:
        async with Task(say, spec, script) as task:
            await task("Create")
            await task("Start")
            if signal == 9:
                await task("Kill", signal=signal)
            elif signal:
                await ready(task)
                await task("Kill", signal=signal)
            await task("Wait")
            await say.hear("/tasks/exit")
            await task("Get")
            await task("Delete")

    same(play)


async def ready(task: Task) -> None:
    """Until the shell has its trap, of which its child tells."""
    about = {"container_id": task.id}
    while len((await task.say.client.ask("tasks", "ListPids", about, namespace=task.say.namespace)).processes) < 2:
        pass


@pytest.mark.parametrize(("note", "change"), [
    ("no such program", {"args": ["/no/such"]}), ("no program", {"args": []}), ("no such directory",
    {"cwd": "/no/such"}),
    ("a relative directory", {"cwd": "x"}), ("a directory as program", {"args": ["/bin"]}),
])  # fmt: skip
def test_what_cannot_start(same: Any, spec: dict[str, Any], note: str, change: dict[str, Any]) -> None:
    async def play(say: Any) -> None:
        async with Task(say, spec, "sleep 60") as task:
            whole = json.loads(task.spec)
            whole["process"] |= change
            container = {"id": task.id, "spec": {"type_url": SPEC, "value": json.dumps(whole).encode()}}
            mask = {"update_mask": {"paths": ["spec"]}}
            await say.client.ask("containers", "Update", {"container": container, **mask}, namespace=say.namespace)
            await task("Create", note)
            await task("Start", note)
            await task("Get", note)

    same(play)


def test_what_cannot_be_created(same: Any, spec: dict[str, Any]) -> None:
    async def play(say: Any) -> None:
        async with Task(say, spec, "sleep 60") as task:
            await task("Create", "unknown runtime", runtime_path="/no/such/shim")
            await task("Create", "relative runtime", runtime_path="x/y")
            await task("Create", "odd streams", stdin="nonsense://x", stdout="nonsense://x")
            await task("Create", "odd options", options={"type_url": "unknown", "value": b"x"})
            await task("Create", "broken options", options={"type_url": "containerd.runc.v1.Options", "value": b"\xff"})
            await task("Create", "no such mount", rootfs=[{"type": "nonsense", "source": "x"}])
            await task("Create", "no such source", rootfs=[{"type": "bind", "source": "/no/such", "options": ["bind"]}])
            await task("Get", "none of them")

    same(play)


def test_mistakes(same: Any) -> None:
    async def play(say: Any) -> None:
        container = {
            "id": "known",
            "runtime": {"name": "io.containerd.runc.v2"},
            "spec": {"type_url": SPEC, "value": b"{}"},
        }
        await say("containers", "Create", container=container)
        for id in ("", "unknown", "known", "../x"):
            for method in METHODS:
                await say("tasks", method, id, container_id=id, **{"exec_id": "e"} if method != "Checkpoint" and
                          "exec_id" in FIELDS[method] else {})  # fmt: skip
        await say("tasks", "Create", "unknown", container_id="unknown")
        await say("tasks", "Create", "an empty spec", container_id="known")
        for namespace in ("", "a/b"):
            for method in METHODS:
                await say("tasks", method, f"in {namespace}", ns=namespace, container_id="known",
                          **{"exec_id": "e"} if method == "Exec" else {})  # fmt: skip
            await say("tasks", "Create", f"in {namespace}", ns=namespace, container_id="known")
            await say("tasks", "List", f"in {namespace}", ns=namespace)
            await say("tasks", "Metrics", f"in {namespace}", ns=namespace)
        for filter in ("", "id==x", "id==", "==", "namespace==x", "nofield"):
            await say("tasks", "Metrics", filter, filters=[filter])

    same(play)


FIELDS = {"Start": {"exec_id"}, "Get": {"exec_id"}, "Kill": {"exec_id"}, "Wait": {"exec_id"}, "Exec": {"exec_id"},
          "ResizePty": {"exec_id"}, "CloseIO": {"exec_id"}, "DeleteProcess": {"exec_id"}, "Delete": (), "Pause": (),
          "Resume": (), "ListPids": (), "Update": (), "Checkpoint": ()}  # fmt: skip


def test_metrics(same: Any, spec: dict[str, Any]) -> None:
    async def play(say: Any) -> None:
        async with Task(say, spec, "sleep 60") as task:
            await task("Create")
            await task("Start")
            for filter in (
                "",
                f"id=={task.id}",
                "id==x",
                f"namespace=={say.namespace}",
                "namespace==x",
                "id",
                "nofield==x",
            ):
                got = await say.client.ask("tasks", "Metrics", {"filters": [filter]}, namespace=say.namespace)
                told = [(metric.id, metric.data.type_url, metric.HasField("timestamp")) for metric in got.metrics]
                say.transcript.said(f"Metrics({filter})", metrics=str(told))

    same(play)
