from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from moorage_runtime_runc import processes
from moorage_runtime_runc.processes import Process
from moorage_runtime_runc.reapers import Ended, Reaper
from moorage_runtime_runc.streams import Streams
from moorage_sdk import errors
from moorage_sdk.tasks import Status, Stdio


def test_states_and_what_waiters_get() -> None:
    async def main() -> None:
        process = Process("e", Stdio())
        with pytest.raises(errors.FailedPrecondition, match="process not created"):
            process.signal(9)
        waiting = asyncio.create_task(process.wait())
        await asyncio.sleep(0)
        process.ended(Ended(7, 123))
        await waiting
        assert (process.status, process.exit_status, process.exited_at) == (Status.STOPPED, 7, 123)
        with pytest.raises(errors.NotFound, match="process already finished"):
            process.signal(9)
        with pytest.raises(errors.FailedPrecondition, match="cannot resize"):
            process.resize(1, 1)
        await process.deleted()
        await process.wait()

    asyncio.run(main())


def test_one_that_failed_to_start_or_was_deleted_before() -> None:
    async def main() -> None:
        failed = Process("e", Stdio())
        failed.never_started()
        await failed.wait()
        assert (failed.status, failed.exit_status) == (Status.CREATED, 255)
        gone = Process("f", Stdio())
        waiting = asyncio.create_task(gone.wait())
        await asyncio.sleep(0)
        await gone.deleted()
        with pytest.raises(errors.NotFound, match="deleted before it was started"):
            await waiting

    asyncio.run(main())


def test_one_that_failed_to_start_and_then_did_is_waited_for() -> None:
    """The wait for the second attempt was over at once, with status 255."""

    async def main() -> None:
        process, reaper = Process("e", Stdio()), Reaper()
        process.never_started()
        with subprocess.Popen(["sleep", "60"]) as program:
            process.born(program.pid, reaper)
            waiting = asyncio.create_task(process.wait())
            await asyncio.sleep(0.05)
            assert not waiting.done() and process.exit_status == 0
            process.ended(Ended(5, 1))
            await asyncio.wait_for(waiting, 5)
            program.kill()
        process.settled()
        reaper.close()

    asyncio.run(main())


def test_what_has_to_survive_us_is_told_with_each_change() -> None:
    """The pidfd stays until the exit is recorded: a successor may have to ask the kernel again."""

    async def main() -> None:
        told: list[dict[str, int]] = []
        process = Process("e", Stdio())
        process.entrust(Streams(), lambda held: told.append(dict(held)))
        reaper = Reaper()
        reaper.start()
        watch = process.born(os.posix_spawn("/bin/true", ["true"], {}), reaper)
        assert set(told[-1]) == {"pidfd"} and told[-1]["pidfd"] != watch.fd
        await watch.ended
        os.fstat(told[-1]["pidfd"])
        kept = told[-1]["pidfd"]
        process.settled()
        assert told[-1] == {}
        with pytest.raises(OSError):
            os.fstat(kept)
        process.settled()
        reaper.close()

    asyncio.run(main())


def test_pid_files(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.write_text("42")
    assert processes.read_pid(path) == 42
    for text in ("", "x"):
        path.write_text(text)
        with pytest.raises(errors.Internal):
            processes.read_pid(path)
    with pytest.raises(errors.Internal):
        processes.read_pid(tmp_path / "none")
    (tmp_path / "link").symlink_to("/proc/self/status")
    with pytest.raises(errors.Internal):
        processes.read_pid(tmp_path / "link")
