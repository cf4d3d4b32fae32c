from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from moorage_runtime_runc import loggers
from moorage_runtime_runc.reapers import Reaper
from moorage_runtime_runc.spawns import Spawner
from moorage_runtime_runc.uris import Uri
from moorage_sdk import errors
from moorage_sys import pidfds


def test_the_command_line() -> None:
    assert loggers.command(Uri("binary", "/x", (("b", "2"), ("a", "")))) == ["/x", "b", "2", "a", ""]


def run(tmp_path: Path, text: str, scenario: Any, scheme: str = "binary") -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n" + text)
    program.chmod(0o755)

    async def main() -> None:
        reaper = Reaper()
        reaper.start()
        try:
            async with asyncio.timeout(30):
                await scenario(lambda: loggers.start(Uri(scheme, str(program)), "ns", "id", reaper, Spawner()))
        finally:
            reaper.close()

    asyncio.run(main())


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loggers, "STOP_WAIT", 0.3)

    async def scenario(start: Any) -> None:
        logger = await start()
        await asyncio.sleep(0.1)
        os.close(logger.stdout)
        os.close(logger.stderr)
        await loggers.stop(logger.pidfd)
        exited = pidfds.exit_info(logger.pidfd) if pidfds.has_exit_info() else None
        assert exited is None or exited.code == 137
        await loggers.stop(logger.pidfd)  # it is gone
        os.close(logger.pidfd)

    run(tmp_path, "trap '' TERM; exec 5>&-; while :; do sleep 0.05; done", scenario)


def test_one_that_is_never_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loggers, "READY_WAIT", 0.2)

    async def scenario(start: Any) -> None:
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(errors.DeadlineExceeded, match="not ready within"):
            await start()
        await asyncio.sleep(0.3)
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    run(tmp_path, "exec sleep 100", scenario)
