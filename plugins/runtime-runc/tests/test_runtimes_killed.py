"""kill -9 of runc, before, in the middle of and after its work: the call fails with a reason, or was done all the same,
and can be made again; nothing is left."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_sys import mountinfo

RUNTIME = """#!/bin/sh
# Does what runc does, but once dies of SIGKILL at the verb and the moment that the file beside it says.
read verb moment < {plan}
for word; do
    if [ "$word" = "$verb" ]; then
        echo > {plan}
        case $moment in
            before) kill -9 $$ ;;
            after) runc "$@"; kill -9 $$ ;;
        esac
        runc "$@" &
        sleep $moment
        kill -9 $! 2> /dev/null
        kill -9 $$
    fi
done
exec runc "$@"
"""
MOMENTS = ["0.015", "after"]
MORE = ["before", *(f"{number / 1000:.3f}" for number in (1, 2, 5, 7, 10, 20, 30, 45, 60, 90))]
KILLED = "did not terminate successfully: 137"


class Killer:
    """Makes the runtime of a node die at the next use of a verb."""

    def __init__(self, node: Any) -> None:
        self._plan = node.folder / "plan"
        self.plan("none", "before")
        program = node.folder / "runtime"
        program.write_text(RUNTIME.format(plan=self._plan))
        program.chmod(0o755)
        node.binary = str(program)

    def plan(self, verb: str, moment: str) -> None:
        self._plan.write_text(f"{verb} {moment}\n")


async def tried(call: Any) -> bool:
    """Whether it was done after all. Raises AssertionError for another reason than the death of the runtime."""
    try:
        await call
    except errors.Error as error:
        assert KILLED in str(error), error
        return False
    return True


def left(node: Any, bundle: Path) -> list[str]:
    """What is still there of a container: cgroups, runc's state, processes, files, mounts."""
    cgroups = [
        str(path)
        for each in mountinfo.read()
        if each.type in ("cgroup", "cgroup2")
        for path in [Path(each.mount_point + _cgroup(bundle))]
        if path.exists()
    ]
    state = Path(node.runtime_root, "test", bundle.name)
    files = [path.name for path in bundle.iterdir() if path.name not in ("config.json", "rootfs")]
    busybox = (node.folder / "busybox").stat().st_ino
    processes = [path.parent.name for path in Path("/proc").glob("[0-9]*/exe") if _inode(path) == busybox]
    mounts = [each.mount_point for each in mountinfo.beneath(str(bundle))]
    return [*cgroups, *([str(state)] if state.exists() else []), *files, *processes, *mounts]


def _cgroup(bundle: Path) -> str:
    return str(json.loads((bundle / "config.json").read_text())["linux"]["cgroupsPath"])


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


async def until_nothing_is_left(node: Any, bundle: Path) -> None:
    for _ in range(200):
        if not (found := left(node, bundle)):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(found)


@pytest.mark.parametrize("moment", [*MOMENTS, *(pytest.param(each, marks=pytest.mark.full) for each in MORE)])
def test_in_every_command_of_a_life(scenario: Any, moment: str) -> None:
    async def body(node: Any) -> None:
        killer = Killer(node)
        bundle = node.bundle("sleep", "1000")

        killer.plan("create", moment)
        if not await tried(node.create(bundle)):
            with pytest.raises(errors.NotFound):
                await node.status()
            await until_nothing_is_left(node, bundle)
            await node.create(bundle)
        assert await node.status() == "CREATED"

        killer.plan("start", moment)
        if not await tried(node.call("Start")):
            assert await node.status() == "CREATED"
            await node.call("Start")
        assert await node.status() == "RUNNING"

        killer.plan("exec", moment)
        if not await tried(node.exec("e", "sh", "-c", "sleep 0.5; exit 5")):
            async with asyncio.timeout(10):
                while len((await node.call("Pids")).processes) > 1:  # runc's own in there takes a moment to notice
                    await asyncio.sleep(0.01)
            await node.call("Start", exec_id="e")
        assert sum(each.HasField("info") for each in (await node.call("Pids")).processes) == 1
        assert (await node.call("Wait", exec_id="e")).exit_status == 5
        assert (await node.call("Delete", exec_id="e")).exit_status == 5

        for verb in ("Pause", "Resume"):
            killer.plan(verb.lower(), moment)
            if not await tried(node.call(verb)):
                await node.call(verb)
            assert await node.status() == ("PAUSED" if verb == "Pause" else "RUNNING")

        killer.plan("kill", moment)
        if not await tried(node.call("Kill", signal=signal.SIGKILL)):
            with_luck = asyncio.create_task(node.call("Kill", signal=signal.SIGKILL))
            await asyncio.gather(with_luck, return_exceptions=True)  # it may have been killed all the same
        assert (await node.call("Wait")).exit_status == 137

        killer.plan("delete", moment)
        if not await tried(node.call("Delete")):
            await node.call("Delete")
        await until_nothing_is_left(node, bundle)
        await node.until_event("TaskDelete", container_id="c")
        execs = ["TaskExecAdded", "TaskExecStarted", "TaskExit"]
        pauses = ["TaskPaused", "TaskResumed"]
        assert node.names() == ["TaskCreate", "TaskStart", *execs, *pauses, "TaskExit", "TaskDelete"]

    scenario(body)
