from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from moorage_runtime_runc import reapers
from moorage_runtime_runc.reapers import UNKNOWN, Reaper
from moorage_sys import pidfds


def with_reaper(scenario: Any) -> None:
    async def main() -> None:
        reaper = Reaper()
        reaper.start()
        try:
            async with asyncio.timeout(30):
                await scenario(reaper)
        finally:
            reaper.close()

    asyncio.run(main())


def child(script: str) -> int:
    return os.posix_spawn("/bin/sh", ["sh", "-c", script], dict(os.environ))


def test_codes_and_signals() -> None:
    async def scenario(reaper: Reaper) -> None:
        watches = [reaper.watch(child(script)) for script in ("exit 0", "exit 9", "kill -KILL $$", "kill -TERM $$")]
        ends = [await watch.ended for watch in watches]
        assert [end.code for end in ends] == [0, 9, 137, 143]
        assert all(end.at > 1_700_000_000_000_000_000 for end in ends)
        with pytest.raises(ProcessLookupError):
            watches[0].signal(signal.SIGKILL)

    with_reaper(scenario)


def test_a_zombie_can_still_be_watched_while_somebody_holds() -> None:
    async def scenario(reaper: Reaper) -> None:
        with reaper.hold():
            pid = child("exit 3")
            await asyncio.sleep(0.4)
            assert (await reaper.watch(pid).ended).code == 3
            stranger = child("exit 4")
            await asyncio.sleep(0.4)
            assert Path(f"/proc/{stranger}").exists()
        while Path(f"/proc/{stranger}").exists():
            await asyncio.sleep(0.02)

    with_reaper(scenario)


def test_a_hold_that_began_later_does_not_keep_a_zombie() -> None:
    async def scenario(reaper: Reaper) -> None:
        with reaper.hold():
            stranger = child("exit 4")
            await asyncio.sleep(0.3)
            late = reaper.hold()
            late.__enter__()
        while Path(f"/proc/{stranger}").exists():
            await asyncio.sleep(0.02)
        late.__exit__(None, None, None)

    with_reaper(scenario)


def test_a_recycled_pid_is_not_watched() -> None:
    async def scenario(reaper: Reaper) -> None:
        pid = child("sleep 100")
        started = pidfds.start_time(pid)
        with pytest.raises(ProcessLookupError):
            reaper.watch(pid, started + 1)
        watch = reaper.watch(pid, started)
        watch.signal(signal.SIGKILL)
        assert (await watch.ended).code == 137

    with_reaper(scenario)


GRANDCHILD = """
import os, subprocess, sys, time
child = subprocess.Popen(["sleep", "100"])
print(child.pid, flush=True)
child.wait()
time.sleep(0.3)
"""


def test_the_exit_of_a_process_that_is_not_ours() -> None:
    async def scenario(reaper: Reaper) -> None:
        parent = subprocess.Popen([sys.executable, "-c", GRANDCHILD], stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        watch = reaper.watch(pid)
        os.kill(pid, signal.SIGTERM)
        expected = 143 if pidfds.has_exit_info() else UNKNOWN
        assert (await watch.ended).code == expected
        parent.stdout.close()
        await reaper.watch(parent.pid).ended
        parent.returncode = 0

    with_reaper(scenario)


def test_a_foreign_zombie_waits_for_its_parent_without_spinning() -> None:
    async def scenario(reaper: Reaper) -> None:
        if not pidfds.has_exit_info():
            pytest.skip("needs Linux 6.15")
        code = GRANDCHILD.replace("child.wait()", "time.sleep(0.5); child.wait()")
        parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        watch = reaper.watch(pid)
        os.kill(pid, signal.SIGKILL)
        before = os.times()
        await asyncio.sleep(0.3)
        assert not watch.ended.done()
        after = os.times()
        assert after.user - before.user < 0.2
        assert (await watch.ended).code == 137
        parent.stdout.close()
        await reaper.watch(parent.pid).ended
        parent.returncode = 0

    with_reaper(scenario)


@pytest.mark.parametrize("when", ["before", "after", "never"])
def test_where_the_kernel_does_not_tell_whoever_reaps_it_does(
    when: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pidfds, "has_exit_info", lambda: False)
    monkeypatch.setattr(reapers, "PATIENCE", 0.3)

    async def scenario(reaper: Reaper) -> None:
        parent = subprocess.Popen([sys.executable, "-c", GRANDCHILD], stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        watch = reaper.adopt(pid, os.pidfd_open(pid), "ns/c//")
        other = reaper.adopt(os.getppid(), os.pidfd_open(os.getppid()), "ns/d//")
        if when == "before":
            reaper.told("ns/c//", 9, 77)
        os.kill(pid, signal.SIGKILL)
        if when == "after":
            await asyncio.sleep(0.1)
            reaper.told("ns/c//", 9, 77)
        ended = await watch.ended
        assert not other.ended.done()
        assert (ended.code, ended.at) == (9, 77) if when != "never" else ended.code == UNKNOWN
        assert ("ended as nobody's child" in caplog.text) == (when == "never")
        parent.stdout.close()
        await reaper.watch(parent.pid).ended
        parent.returncode = 0

    with_reaper(scenario)


def test_closing_leaves_processes_and_no_descriptor() -> None:
    async def scenario(reaper: Reaper) -> None:
        pid = child("sleep 100")
        watch = reaper.watch(pid)
        reaper.close()
        assert watch.ended.cancelled()
        with pytest.raises(OSError):
            os.fstat(watch.fd)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    async def main() -> None:
        reaper = Reaper()
        reaper.start()
        await scenario(reaper)

    asyncio.run(main())
