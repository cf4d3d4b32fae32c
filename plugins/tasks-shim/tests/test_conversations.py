"""Programs that answer, and programs that do not."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from moorage_tasks_shim import conversations
from moorage_tasks_shim.conversations import Said

SHELL = Path("/bin/sh")


def ask(script: str, told: bytes = b"", timeout: float = 20, folder: str = "/", **more: Any) -> Said:
    env = {"PATH": os.environ["PATH"], **more}
    return asyncio.run(conversations.converse(SHELL, ["-c", script], told, folder=folder, env=env, timeout=timeout))


def test_what_is_told_and_said(tmp_path: Path) -> None:
    said = ask('pwd; cat; echo "$WORD" >&2; exit 3', b"listen\n", folder=str(tmp_path), WORD="no")
    assert said == Said(3, f"{tmp_path}\nlisten\n".encode(), b"no\n")
    assert ask("kill -9 $$").status == -9


def test_much_is_told_to_one_that_does_not_listen() -> None:
    assert ask("exec <&-; echo done", b"x" * (4 << 20)).output == b"done\n"


def test_both_ways_of_much() -> None:
    said = ask("cat; head -c 3000000 /dev/zero >&2", b"x" * 3_000_000)
    assert (len(said.output), len(said.complaint)) == (3_000_000, 3_000_000)


@pytest.mark.parametrize("script", ["exec yes", "yes", "exec yes >&2"])
def test_one_that_does_not_stop_is_killed_with_what_it_started(tmp_path: Path, script: str) -> None:
    with pytest.raises(OverflowError):
        ask(f"echo $$ > pid; {script}; true", folder=str(tmp_path))
    group = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while True:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_that_is_silent_is_killed_in_time(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        ask("echo $$ > pid; exec sleep 600", timeout=0.3, folder=str(tmp_path))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_caller_that_goes_takes_it_along(tmp_path: Path) -> None:
    async def run() -> None:
        words = ["-c", "echo $$ > pid; exec sleep 600"]
        call = conversations.converse(SHELL, words, b"", folder=str(tmp_path), env=os.environ, timeout=60)
        asking = asyncio.create_task(call)
        async with asyncio.timeout(10):
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
                await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(run())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_program_that_is_none(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    call = conversations.converse(tmp_path / "gone", [], b"", folder="/", env={}, timeout=1)
    with pytest.raises(FileNotFoundError):
        asyncio.run(call)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
