from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import pytest

from moorage_api.convert import typeurls
from moorage_api.messages import runc_options
from moorage_sdk import errors


def test_what_a_killed_runc_leaves_keeps_no_exec_from_beginning(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle = node.bundle()
        await node.create(bundle)
        await node.call("Start")
        (bundle / ".exec-e.pid").write_text("")  # it is renamed when the pid is in it
        with pytest.raises(errors.Error, match="file exists"):
            await node.exec("e", "sleep", "1000")
        assert (await node.call("Start", exec_id="e")).pid

    scenario(body)


def test_execs(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Start")
        pid = await node.exec("e", "sh", "-c", "exit 9")
        assert (await node.call("Wait", exec_id="e")).exit_status == 9
        assert await node.status(exec_id="e") == "STOPPED"
        with pytest.raises(errors.NotFound, match="process already finished"):
            await node.call("Kill", exec_id="e", signal=9)
        with pytest.raises(errors.AlreadyExists):
            await node.exec("e", "true")
        deleted = await node.call("Delete", exec_id="e")
        assert (deleted.pid, deleted.exit_status) == (pid, 9)
        with pytest.raises(errors.NotFound):
            await node.call("Delete", exec_id="e")
        await node.exec("e", "sleep", "1000")
        with pytest.raises(errors.FailedPrecondition, match="running process"):
            await node.call("Delete", exec_id="e")
        await node.call("Kill", exec_id="e", signal=signal.SIGTERM)
        assert (await node.call("Wait", exec_id="e")).exit_status == 143
        await node.call("Delete", exec_id="e")
        await node.until_event("TaskExit", id="e", exit_status=143)
        names = [each for each in node.names() if each != "TaskCreate"]
        assert names[1:7] == ["TaskExecAdded", "TaskExecStarted", "TaskExit"] * 2
        await node.call("Kill", signal=9)

    scenario(body)


def test_execs_that_cannot_be(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Start")
        spec = typeurls.pack_json(typeurls.PROCESS, {"args": ["nothing"], "cwd": "/", "env": ["PATH=/bin"]})
        with pytest.raises(errors.InvalidArgument):
            await node.call("Exec", exec_id="", spec=spec)
        with pytest.raises(errors.InvalidArgument):
            await node.call("Exec", exec_id="a/b", spec=spec)
        with pytest.raises(errors.InvalidArgument, match="process spec"):
            await node.call("Exec", exec_id="x", spec=typeurls.pack(runc_options.Options(root="{")))
        leaky = typeurls.pack_json(typeurls.PROCESS, {"args": ["ls"], "cwd": "/proc/self/fd/7"})
        with pytest.raises(errors.InvalidArgument, match="among file descriptors"):
            await node.call("Exec", exec_id="x", spec=leaky)
        await node.call("Exec", exec_id="e", spec=spec)
        with pytest.raises(errors.FailedPrecondition, match="process not created"):
            await node.call("Kill", exec_id="e", signal=9)
        with pytest.raises(errors.Error, match=r"OCI runtime exec failed: .*executable file not found in \$PATH"):
            await node.call("Start", exec_id="e")
        await node.call("Delete", exec_id="e")
        with pytest.raises(errors.NotFound):
            await node.call("Wait", exec_id="f")
        await node.call("Exec", exec_id="f", spec=spec)
        waiting = asyncio.create_task(node.call("Wait", exec_id="f"))
        await asyncio.sleep(0.05)
        await node.call("Delete", exec_id="f")
        with pytest.raises(errors.NotFound, match="before it was started"):
            await waiting
        await node.call("Kill", signal=9)
        await node.call("Wait")
        with pytest.raises(errors.FailedPrecondition, match="stopped state"):
            await node.call("Exec", exec_id="g", spec=spec)

    scenario(body)


def test_init_ends_while_an_exec_is_on_its_way(scenario: Any) -> None:
    """Until that exec has failed the task says that it runs, so it takes registrations; nothing starts any more."""

    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Start")
        starting = asyncio.create_task(node.exec("first", "true", stdout=str(node.fifo("out"))))  # waits for a reader
        await node.until_event("TaskExecAdded", exec_id="first")
        waiting = asyncio.create_task(node.call("Wait"))
        await asyncio.sleep(0.1)
        os.kill((await node.call("State")).pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            while True:
                with pytest.raises(errors.Error) as caught:
                    await node.exec(f"late-{time.monotonic_ns()}", "true")
                if "init process is not running" in str(caught.value):
                    break
        assert await node.status() == "RUNNING" and not waiting.done()
        with open(os.open(node.folder / "out", os.O_RDONLY | os.O_NONBLOCK)), pytest.raises(errors.Error):
            await starting
        assert (await waiting).exit_status == 137
        assert await node.status() == "STOPPED"
        await node.call("Delete")
        exits = [event.id for event in node.events if event.DESCRIPTOR.name == "TaskExit"]
        assert exits == ["c"]

    scenario(body)
