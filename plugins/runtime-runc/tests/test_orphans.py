from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from moorage_runtime_runc import orphans
from moorage_runtime_runc.orphans import Orphans
from moorage_sys import pidfds, processes

PARENT = """
import subprocess, sys, time
children = [subprocess.Popen(["sh", "-c", script]) for script in sys.argv[1:]]
print(*(child.pid for child in children), flush=True)
time.sleep(100)
"""


@pytest.fixture(autouse=True)
def old_kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without pidfd info, and with us as a subreaper no longer than the test."""
    monkeypatch.setattr(pidfds, "has_exit_info", lambda: False)
    before = processes.is_subreaper()
    yield
    processes.set_subreaper(before)


Scenario = Callable[[Orphans, dict[str, tuple[int, int]]], Awaitable[None]]


def play(scenario: Scenario) -> None:
    async def main() -> None:
        told: dict[str, tuple[int, int]] = {}

        def tell(name: str, code: int, at: int) -> None:
            assert name not in told
            told[name] = code, at

        found = Orphans(tell)
        try:
            async with asyncio.timeout(20):
                await scenario(found, told)
        finally:
            found.close()

    asyncio.run(main())


def leave(*scripts: str) -> tuple[int, list[int]]:
    """The pid of a monitor that has died and been reaped, and those of its children."""
    command = [sys.executable, "-c", PARENT, *scripts]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as monitor:
        assert monitor.stdout is not None
        pids = [int(word) for word in monitor.stdout.readline().split()]
        for pid in pids:
            FDS.append(os.pidfd_open(pid))
        monitor.kill()
    return monitor.pid, pids


FDS: list[int] = []


def held(*names: str) -> dict[str, int]:
    """The descriptors of the processes that were left last, under their keys. They stay the caller's."""
    fds = [FDS.pop(0) for _ in names]
    return {f"{name}pidfd": fd for name, fd in zip(names, fds, strict=True)}


def test_their_ends_are_told_once_with_code_and_time() -> None:
    async def scenario(found: Orphans, told: dict[str, tuple[int, int]]) -> None:
        monitor, _ = leave("sleep 0.3; exit 5", "exit 6", "sleep 0.2; kill -TERM $$")
        kept = held("n/a//", "n/b//", "n/c/e/")
        names = found.adopt(monitor, {**kept, "n/a//stdout": 0})
        assert names == ["n/a//", "n/b//", "n/c/e/"]
        while len(told) < 3:
            await asyncio.sleep(0.02)
        assert {name: code for name, (code, _) in told.items()} == {"n/a//": 5, "n/b//": 6, "n/c/e/": 143}
        assert told["n/b//"][1] < told["n/a//"][1] and found.ended == told
        assert found.adopt(monitor, kept) == names  # by the next monitor, too, which may not have heard of it
        found.forget(("n/a//pidfd", "n/b//stdout"))
        assert set(found.ended) == {"n/b//", "n/c/e/"}
        for fd in kept.values():
            os.close(fd)

    play(scenario)


def test_helpers_of_the_daemon_keep_their_status_and_strangers_are_reaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "_SWEEP", 0.05)

    async def scenario(found: Orphans, told: dict[str, tuple[int, int]]) -> None:
        monitor, (stranger,) = leave("sleep 0.1; exit 5")
        os.close(FDS.pop())
        helpers = [subprocess.Popen(["sh", "-c", "exit 3"], start_new_session=new) for new in (True, False)]
        assert found.adopt(monitor, {}) == []
        while Path(f"/proc/{stranger}").exists():
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        assert [helper.wait() for helper in helpers] == [3, 3]
        assert not told

    play(scenario)


def test_what_is_not_our_child_is_not_promised() -> None:
    async def scenario(found: Orphans, told: dict[str, tuple[int, int]]) -> None:
        fd = os.pidfd_open(os.getppid())
        assert found.adopt(os.getppid(), {"n/a//pidfd": fd}) == []
        os.close(fd)

    play(scenario)


def test_with_pidfd_info_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pidfds, "has_exit_info", lambda: True)

    async def scenario(found: Orphans, told: dict[str, tuple[int, int]]) -> None:
        assert not found.needed and not processes.is_subreaper()
        monitor, (pid,) = leave("sleep 100")
        kept = held("n/a//")
        assert found.adopt(monitor, kept) == []
        os.kill(pid, signal.SIGKILL)
        os.close(kept["n/a//pidfd"])

    processes.set_subreaper(False)
    play(scenario)


def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    orphans._warn.cache_clear()
    for _ in range(2):
        Orphans(lambda *_: None)
    assert caplog.text.count("exit statuses are known only as long as the daemon runs") == 1
