"""A monitor dies or is replaced while containers run."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_sys import pidfds


async def replace(node: Any, number: int = signal.SIGKILL) -> None:
    """Stop the monitor with a signal and start another one."""
    client = await node.client()
    await asyncio.to_thread(node.stop, number)
    await client.close()
    node.start()


def needs_exit_info() -> None:
    if not pidfds.has_exit_info():
        pytest.skip("needs Linux 6.15: the exit status of a process that is nobody's child")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_containers_survive_with_their_streams_and_status(scenario: Any, number: int) -> None:
    async def body(node: Any) -> None:
        needs_exit_info()
        out = node.fifo("out")
        fd = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
        script = "trap 'exit 42' TERM; echo begin; while :; do sleep 0.05; done"
        pid = await node.create(node.bundle("sh", "-c", script), stdout=str(out))
        await node.call("Start")
        await node.exec("e", "sleep", "1000")
        await asyncio.sleep(0.2)
        await replace(node, number)
        state = await node.call("State")
        assert (state.pid, state.stdout) == (pid, str(out))
        assert await node.status() == await node.status(exec_id="e") == "RUNNING"
        await node.call("Kill", exec_id="e", signal=signal.SIGKILL)
        assert (await node.call("Wait", exec_id="e")).exit_status == 137
        await node.call("Kill", signal=signal.SIGTERM)
        assert (await node.call("Wait")).exit_status == 42
        assert (await node.call("Delete")).exit_status == 42
        assert os.read(fd, 100) == b"begin\n"
        os.close(fd)
        await node.until_event("TaskDelete")
        assert node.numbers == sorted(node.numbers)
        names = ["TaskCreate", "TaskStart", "TaskExecAdded", "TaskExecStarted", "TaskExit", "TaskExit", "TaskDelete"]
        assert node.names() == names

    scenario(body)


def test_created_containers_can_still_be_started(scenario: Any) -> None:
    async def body(node: Any) -> None:
        needs_exit_info()
        await node.create(node.bundle("sh", "-c", "exit 5"))
        await replace(node)
        assert await node.status() == "CREATED"
        await node.call("Start")
        assert (await node.call("Wait")).exit_status == 5
        await node.call("Delete")

    scenario(body)


def test_what_ended_unseen_is_told_as_255(scenario: Any) -> None:
    async def body(node: Any) -> None:
        pid = await node.create(node.bundle())
        await node.call("Start")
        await node.exec("e", "sleep", "1000")
        node.stop(signal.SIGKILL)
        fd = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        while pidfds.is_running(fd) and not _zombie(pid):
            await asyncio.sleep(0.01)
        os.close(fd)
        await asyncio.sleep(0.2)
        node.start()
        assert (await node.call("Wait")).exit_status in (255, 137)
        await node.until_event("TaskExit", id="c")
        exits = [event.id for event in node.events if event.DESCRIPTOR.name == "TaskExit"]
        assert exits == ["e", "c"]
        await node.call("Delete")

    scenario(body)


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_what_had_ended_before_is_remembered(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle("sh", "-c", "exit 6"))
        await node.call("Start")
        await node.call("Wait")
        await replace(node)
        assert await node.status() == "STOPPED"
        assert (await node.call("Delete")).exit_status == 6
        await node.until_event("TaskDelete")
        assert node.names().count("TaskExit") == 1

    scenario(body)


def test_a_creation_cut_short_leaves_nothing(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle = node.bundle()
        source = bundle.parent / "source"
        (bundle / "rootfs").rename(source)
        mount = {"type": "bind", "source": str(source), "options": ["rbind", "rw"]}
        creating = asyncio.create_task(node.create(bundle, stdout=str(node.fifo("out")), rootfs=[mount]))
        async with asyncio.timeout(10):
            while not _mounted(bundle / "rootfs"):
                await asyncio.sleep(0.01)
        await replace(node)
        with pytest.raises(errors.Unavailable):
            await creating
        with pytest.raises(errors.NotFound):
            await node.status()
        assert not _mounted(bundle / "rootfs")
        assert not (bundle / "moorage-task.json").exists()

    scenario(body)


def _mounted(path: Path) -> bool:
    return f" {path} " in Path("/proc/self/mountinfo").read_text()


def test_a_broken_record_does_not_keep_the_others_out(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.create(node.bundle(name="d"), "d")
        (node.folder / "bundles" / "c" / "moorage-task.json").write_text("{")
        await replace(node)
        assert await node.status("d") == "CREATED"
        with pytest.raises(errors.NotFound):
            await node.status("c")
        await node.call("Delete", "d")

    scenario(body)


async def life(node: Any, id: str) -> None:
    """One container from beginning to end, as far as it gets."""
    try:
        await node.create(node.bundle("sh", "-c", "sleep 0.1; exit 3", name=id), id)
        await node.call("Start", id)
        await node.exec("e", "sh", "-c", "exit 4", id=id)
        await node.call("Wait", id)
        await node.call("Delete", id)
    except errors.Error:
        return


async def finish(node: Any, id: str) -> None:
    """What a daemon does with a container that it finds again."""
    try:
        if await node.status(id) == "CREATED":
            await node.call("Start", id)
        await asyncio.wait_for(node.call("Wait", id), 20)
        assert (await node.call("Delete", id)).exit_status in (3, 255)
    except errors.FailedPrecondition:  # it ended between the question and the start
        await asyncio.wait_for(node.call("Wait", id), 20)
        await node.call("Delete", id)
    except errors.NotFound:
        return


def test_killed_at_any_moment_everything_is_told_once_and_nothing_is_left(scenario: Any) -> None:
    async def body(node: Any) -> None:
        needs_exit_info()
        moments = random.Random(4)
        for turn in range(8):
            ids = [f"t{turn}c{number}" for number in range(3)]
            lives = [asyncio.create_task(life(node, id)) for id in ids]
            await asyncio.sleep(moments.uniform(0.0, 0.5))
            await replace(node, moments.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
            await asyncio.gather(*lives)
            for id in ids:
                await finish(node, id)
        assert not list((node.folder / "state" / "tasks").iterdir())
        assert not list(Path(node.runtime_root, "test").iterdir())
        await node.run(node.bundle("true", name="last"), "last")
        await node.until_event("TaskDelete", container_id="last")
        for id in {event.container_id for event in node.events}:
            _check_story([event for event in node.events if event.container_id == id])

    scenario(body)


def _check_story(told: list[Any]) -> None:
    names = [event.DESCRIPTOR.name for event in told]
    exits = [event.id for event in told if event.DESCRIPTOR.name == "TaskExit"]
    for name in ("TaskCreate", "TaskStart", "TaskDelete"):
        assert names.count(name) <= 1, names
    assert len(set(exits)) == len(exits), names
    if "TaskDelete" in names:
        assert exits and exits[-1] == told[0].container_id and names[-1] == "TaskDelete", names
    if "TaskStart" in names and exits:
        assert names.index("TaskStart") < names.index("TaskExit"), names
