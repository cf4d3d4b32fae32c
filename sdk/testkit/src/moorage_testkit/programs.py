"""Programs for tests: shims that are processes, so that a daemon starts, loses and buries them as it does real ones."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from moorage_api.convert import timestamps
from moorage_api.messages import shim_v3
from moorage_testkit.fakes.shims import Shim

SHIM = "containerd-shim-scripted-v1"
RUNTIME = "io.containerd.scripted.v1"


def shim(folder: Path) -> Path:
    """Write the program ``containerd-shim-scripted-v1``: the shim without containers that knows sandboxes.

    It listens beside itself. ``calls`` there gets a line for each time that it is called: the action and the id.
    """
    path = folder / SHIM
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -I -m moorage_testkit.programs {folder} "$@"\n')
    path.chmod(0o755)
    return path


def kill(folder: Path, id: str) -> None:
    """SIGKILL for the shim that ``shim(folder)`` became for ``id``. Raises OSError when there is none any more."""
    pid = int((folder / f"pid-{id}").read_text())
    # Its pid may be a stranger's by now.
    if os.fsencode(folder) not in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
        raise ProcessLookupError(f"no shim {id} of {folder}")
    os.kill(pid, signal.SIGKILL)


def main(folder: Path, argv: Sequence[str]) -> int:
    """The program, by the shim v2 contract (docs/runtime-v2.md in containerd)."""
    if argv[:1] == ["-v"]:
        sys.stdout.write(f"{SHIM}: Version: 1.0.0\n")
        return 0
    namespace, id, action = argv[argv.index("-namespace") + 1], argv[argv.index("-id") + 1], argv[-1]
    with (folder / "calls").open("a") as calls:
        calls.write(f"{action} {id}\n")
    if action == "delete":
        said = shim_v3.DeleteResponse(exit_status=137, pid=42, exited_at=timestamps.to_message(time.time_ns()))
        sys.stdout.buffer.write(said.SerializeToString())
        return 0
    socket = folder / sha256(f"{namespace}/{id}".encode()).hexdigest()[:16]
    if action == "serve":
        asyncio.run(_serve(socket))
        return 0
    command = [sys.executable, "-I", "-m", "moorage_testkit.programs", str(folder), *argv[:-1], "serve"]
    with (folder / "log").open("a") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    assert child.stdout is not None
    child.stdout.readline()
    (folder / f"pid-{id}").write_text(str(child.pid))
    child.returncode = 0  # it stays behind
    answer = {"version": 3, "address": f"unix://{socket}", "protocol": "ttrpc"}
    sys.stdout.write(json.dumps(answer))
    return 0


async def _serve(socket: Path) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    async with Shim(socket, sandboxes={}, leave=lambda: loop.call_later(0.05, ended.set)):
        os.write(1, b"ready\n")
        os.dup2(2, 1)
        await ended.wait()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
