"""Pids that are used again: the monitor lives in a pid namespace in which the next pid can be chosen."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_testkit.daemons import wait_until


@contextmanager
def decoy(node: Any, pid: int) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has that pid in the namespace of the monitor."""
    (monitor,) = children(node.process.pid)
    enter = ["nsenter", "--target", str(monitor), "--pid", "--mount"]
    # nsenter forks when it has entered, and the shell that writes has a pid as well: so it is for the one after that.
    script = f"echo {pid - 1} > /proc/sys/kernel/ns_last_pid; sleep 1000 & wait"
    with subprocess.Popen([*enter, "sh", "-c", script]) as process:
        try:
            wait_until(lambda: inside(process.pid, pid))
            yield process
            assert inside(process.pid, pid), "a signal has met the wrong process"
        finally:
            for each in descendants(process.pid):
                subprocess.run(["kill", "-9", str(each)], check=False, capture_output=True)
            process.kill()


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return list(map(int, file.read().split()))


def descendants(pid: int) -> list[int]:
    return [each for child in children(pid) for each in (*descendants(child), child)]


def inside(parent: int, pid: int) -> bool:
    """Whether one of its descendants has that pid in its own namespace."""
    for each in descendants(parent):
        with open(f"/proc/{each}/status") as file:
            (line,) = [line for line in file if line.startswith("NSpid:")]
        if int(line.split()[-1]) == pid:
            return True
    return False


@pytest.fixture
def cramped(node: Any) -> Iterator[Any]:
    """The node with its monitor in a pid namespace of its own."""
    node.stop()
    node.prefix = ["unshare", "--fork", "--pid", "--mount-proc", "--propagation", "unchanged", "--kill-child=SIGTERM"]
    node.start()
    yield node
    for pid in children(node.process.pid):
        subprocess.run(["kill", "-TERM", str(pid)], check=False)
    node.process.wait(20)


def test_who_has_the_pid_now_gets_no_signal(cramped: Any, scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Start")
        pid = await node.exec("e", "sleep", "1000")
        await node.call("Kill", exec_id="e", signal=signal.SIGKILL)
        assert (await node.call("Wait", exec_id="e")).exit_status == 137
        with decoy(node, pid):
            with pytest.raises(errors.NotFound, match="process already finished"):
                await node.call("Kill", exec_id="e", signal=signal.SIGKILL)
            await node.call("Delete", exec_id="e")

        init = (await node.call("State")).pid
        await node.call("Kill", signal=signal.SIGKILL)
        assert (await node.call("Wait")).exit_status == 137
        with decoy(node, init):
            for everybody in (False, True):
                with pytest.raises(errors.NotFound, match="process already finished"):
                    await node.call("Kill", signal=signal.SIGKILL, all=everybody)
            assert not (await node.call("Pids")).processes
            await node.call("Delete")

    scenario(body)
