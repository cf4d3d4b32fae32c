"""Sandboxes: what both daemons answer, call by call; those that run do so in a scripted shim."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from moorage_testkit import programs

SINCE = (2,)
SPEC = {"type_url": "types.containerd.io/opencontainers/runtime-spec/1/Spec", "value": b'{"ociVersion":"1.1.0"}'}
ANY = {"type_url": "t", "value": b"1"}
STORE, CONTROLLER = "sandbox.Store", "sandbox.Controller"


def record(id: str, runtime: str = "io.containerd.kata.v2", **fields: Any) -> dict[str, Any]:
    return {"sandbox_id": id, "runtime": {"name": runtime}, "sandboxer": "shim", **fields}


def test_life_of_a_record(same: Any) -> None:
    async def play(say: Any) -> None:
        labels, extensions = {"a": "1", "empty": ""}, {"e": ANY}
        await say(STORE, "Create", "full", sandbox=record("s", spec=SPEC, labels=labels, extensions=extensions))
        await say(STORE, "Create", "again", sandbox=record("s"))
        await say(STORE, "Create", "bare", sandbox=record("bare", runtime="", sandboxer=""))
        await say(STORE, "Create", "long label", sandbox=record("long", labels={"k": "v" * 5000}))
        for id in ("s", "bare", "none", ""):
            await say(STORE, "Get", id, sandbox_id=id)
        await say(STORE, "List", "all")
        for filter in ("id==s", "labels.a==1", "labels.a", "labels.empty", "id~=^b", "id!=s", "runtime.name==x", "x"):
            await say(STORE, "List", filter, filters=[filter])
        await say(STORE, "List", "or", filters=["id==s", "id==bare"])
        await say(STORE, "List", "malformed", filters=["id==s,"])
        await say(STORE, "Delete", "s", sandbox_id="s")
        await say(STORE, "Delete", "again", sandbox_id="s")
        await say(STORE, "Delete", "none", sandbox_id="")

    same(play, since=SINCE)


@pytest.mark.parametrize(
    "paths",
    [
        [], ["labels"], ["labels.b"], ["labels.a"], ["labels.a", "labels.b"], ["extensions.f"], ["spec"], ["runtime"],
        ["sandboxer"], ["nonsense"], ["labels", "nonsense"], ["runtime.name"], ["created_at"], ["Labels"],
    ],
    ids=",".join,
)  # fmt: skip
def test_updates(same: Any, paths: list[str]) -> None:
    async def play(say: Any) -> None:
        await say(STORE, "Create", sandbox=record("s", spec=SPEC, labels={"a": "1"}, extensions={"e": ANY}))
        new = record("s", spec=ANY, labels={"b": "2"}, extensions={"e": ANY, "f": ANY}, sandboxer="other")
        await say(STORE, "Update", "same runtime", sandbox=new, fields=paths)
        await say(STORE, "Get", "same runtime", sandbox_id="s")
        await say(STORE, "Update", "other runtime", sandbox={**new, "runtime": {"name": "x"}}, fields=paths)
        await say(STORE, "Get", "other runtime", sandbox_id="s")
        await say(STORE, "Update", "none", sandbox=record("none"), fields=paths)

    same(play, since=SINCE)


@pytest.mark.parametrize("paths", [[], ["extensions.e", "spec"]], ids=["all", "named"])
def test_what_an_update_takes_away(same: Any, paths: list[str]) -> None:
    async def play(say: Any) -> None:
        await say(STORE, "Create", sandbox=record("s", spec=SPEC, labels={"a": "1"}, extensions={"e": ANY}))
        await say(STORE, "Update", sandbox=record("s"), fields=paths)
        await say(STORE, "Get", sandbox_id="s")

    same(play, since=SINCE)


@pytest.mark.parametrize("id", ["", "../x", "a/b", "x" * 200, "é", "a b", "-a", "a--b"])
def test_ids(same: Any, id: str) -> None:
    async def play(say: Any) -> None:
        await say(STORE, "Create", sandbox=record(id))
        await say(CONTROLLER, "Create", sandbox_id=id, sandboxer="shim", sandbox=record(id))
        await say(CONTROLLER, "Status", sandbox_id=id, sandboxer="shim")

    same(play, since=SINCE)


def test_namespaces(same: Any) -> None:
    async def play(say: Any) -> None:
        for ns in ("", "a b", f"{say.namespace}-b"):
            await say(STORE, "Create", ns, ns=ns, lease="", sandbox=record("s"))
            await say(STORE, "List", ns, ns=ns, lease="")
            await say(CONTROLLER, "Status", ns, ns=ns, lease="", sandbox_id="s", sandboxer="shim")
            await say(CONTROLLER, "Stop", ns, ns=ns, lease="", sandbox_id="s", sandboxer="shim")
        # Sandboxes are nothing that a namespace would have to be emptied of.
        await say("namespaces", "Delete", name=f"{say.namespace}-b")
        await say(STORE, "List", "gone", ns=f"{say.namespace}-b", lease="")

    same(play, since=SINCE)


def test_controllers_and_sandboxes_that_are_not_there(same: Any) -> None:
    async def play(say: Any) -> None:
        calls = ("Create", "Start", "Stop", "Wait", "Status", "Shutdown", "Metrics", "Update")
        for sandboxer in ("", "none"):
            for method in calls:
                await say(CONTROLLER, method, sandboxer, sandbox_id="s", sandboxer=sandboxer)
        for method in calls[1:]:
            await say(CONTROLLER, method, "shim", sandbox_id="s", sandboxer="shim")

    same(play, since=SINCE)


def test_life(same: Any, tmp_path: Path) -> None:
    runtime = str(programs.shim(tmp_path))

    async def play(say: Any) -> None:
        async def control(method: str, note: str = "", **fields: Any) -> None:
            await say(CONTROLLER, method, note, sandbox_id="pod", sandboxer="shim", **fields)

        await control("Create", sandbox=record("pod", runtime, spec=SPEC))
        await control("Create", "again", sandbox=record("pod", runtime))
        await control("Status", "made")
        await control("Start")
        await control("Status", "started", verbose=True)
        await control("Metrics")
        await control("Platform")
        await control("Update", sandbox=record("pod", runtime), fields=["labels"])
        # Not as a step: which of the two answers comes first is nobody's promise.
        fields = {"sandbox_id": "pod", "sandboxer": "shim"}
        waiting = asyncio.create_task(say.client.ask(CONTROLLER, "Wait", fields, namespace=say.namespace))
        await asyncio.sleep(0.2)
        await control("Stop", timeout_secs=3)
        assert (await waiting).exit_status == 137
        await control("Wait", "again")
        await control("Status", "stopped")
        await control("Stop", "again")
        await control("Shutdown")
        for method in ("Shutdown", "Stop", "Wait", "Status"):
            await control(method, "gone")

    same(play, since=SINCE)
    calls = (tmp_path / "calls").read_text().split()[::2]
    assert calls == ["start", "serve", "delete"] * 2


def test_a_shim_that_dies(same: Any, tmp_path: Path) -> None:
    runtime = str(programs.shim(tmp_path))

    async def play(say: Any) -> None:
        async def control(method: str, note: str = "", **fields: Any) -> None:
            await say(CONTROLLER, method, note, sandbox_id="pod", sandboxer="shim", **fields)

        await control("Create", sandbox=record("pod", runtime))
        await control("Start")
        waiting = asyncio.create_task(control("Wait"))
        await asyncio.sleep(0.2)
        programs.kill(tmp_path, "pod")
        await waiting
        async with asyncio.timeout(10):
            while "delete" not in (tmp_path / "calls").read_text().split()[-2:]:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        for method in ("Stop", "Status", "Shutdown", "Start"):
            await control(method, "dead")
        await control("Create", "anew", sandbox=record("pod", runtime))
        await control("Shutdown", "anew")

    same(play, since=SINCE)


def test_containers_live_in_the_shim_of_their_sandbox(same: Any, tmp_path: Path) -> None:
    runtime = str(programs.shim(tmp_path))

    async def play(say: Any) -> None:
        await say(STORE, "Create", sandbox=record("pod", runtime))
        await say(CONTROLLER, "Create", sandbox_id="pod", sandboxer="shim", sandbox=record("pod", runtime))
        await say(CONTROLLER, "Start", sandbox_id="pod", sandboxer="shim")
        for id in ("web", "db"):
            container = {"id": id, "runtime": {"name": runtime}, "spec": SPEC, "sandbox": "pod"}
            await say("containers", "Create", id, container=container)
            await say("tasks", "Create", id, container_id=id)
            await say("tasks", "Start", id, container_id=id)
            await say("tasks", "Get", id, container_id=id)
        for id in ("web", "db"):
            await say("tasks", "Kill", id, container_id=id, signal=9)
            await say("tasks", "Wait", id, container_id=id)
            await say("tasks", "Delete", id, container_id=id)
        await say(CONTROLLER, "Status", sandbox_id="pod", sandboxer="shim")
        await say(CONTROLLER, "Shutdown", sandbox_id="pod", sandboxer="shim")

    same(play, since=SINCE)
    assert (tmp_path / "calls").read_text().split()[::2].count("start") == 2


def test_containers_of_sandboxes_that_do_not_run(same: Any, tmp_path: Path) -> None:
    runtime = str(programs.shim(tmp_path))

    async def play(say: Any) -> None:
        await say(STORE, "Create", sandbox=record("recorded", runtime))
        for sandbox in ("recorded", "unknown"):
            id = f"of-{sandbox}"
            container = {"id": id, "runtime": {"name": runtime}, "spec": SPEC, "sandbox": sandbox}
            await say("containers", "Create", id, container=container)
            await say("tasks", "Create", id, container_id=id)
            await say("tasks", "Get", id, container_id=id)
            await say("tasks", "Delete", id, container_id=id)
        programs.kill(tmp_path, "of-unknown")

    same(play, since=SINCE)
