"""Programs that take a container's output: ``binary://`` and ``binary-v2://`` log URIs.

The protocol is that of core/runtime/v2/logging in containerd v2.3: descriptor 3 is the container's stdout, 4 its
stderr, and 5 is closed (``binary-v2``: after one byte) as soon as the program is ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass

from moorage_runtime_runc.descriptors import Descriptors
from moorage_runtime_runc.reapers import Reaper, Watch
from moorage_runtime_runc.spawns import Spawner
from moorage_runtime_runc.uris import Uri
from moorage_sdk import errors

READY_WAIT = 30.0
STOP_WAIT = 12.0
"""Seconds between SIGTERM and SIGKILL (binaryIOProcTermTimeout in process/io.go)."""


@dataclass(frozen=True, slots=True)
class Logger:
    """A running log program and the write ends of its two pipes, which the caller closes."""

    watch: Watch
    stdout: int
    stderr: int

    async def stop(self) -> None:
        """Ask it to end; it has read all there is by then or has ``STOP_WAIT`` seconds to."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                self.watch.signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.watch.ended), STOP_WAIT)
                return


def command(uri: Uri) -> list[str]:
    """Path, then every key of the query followed by its value, the way NewBinaryCmd lays them out."""
    return [uri.path, *(part for pair in uri.query for part in pair)]


async def start(uri: Uri, namespace: str, id: str, reaper: Reaper, spawner: Spawner) -> Logger:
    """Start a log program and wait until it is ready. Raises errors.Error if it cannot be started or gives up."""
    with Descriptors() as ours:
        out_read, out_write = ours.pipe()
        err_read, err_write = ours.pipe()
        ready_read, ready_write = ours.pipe()
        env = {"CONTAINER_ID": id, "CONTAINER_NAMESPACE": namespace}
        try:
            pid = spawner.spawn(command(uri), {3: out_read, 4: err_read, 5: ready_write}, env)
        except OSError as error:
            raise errors.Error(f'log program "{uri.path}": {error.strerror}') from error
        watch = reaper.watch(pid)
        ours.close(ready_write)
        try:
            await _wait_ready(uri, ready_read)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                watch.signal(signal.SIGKILL)
            raise
        return Logger(watch, ours.take(out_write), ours.take(err_write))


async def _wait_ready(uri: Uri, fd: int) -> None:
    try:
        byte = await asyncio.wait_for(_read_one(fd), READY_WAIT)
    except TimeoutError as error:
        raise errors.DeadlineExceeded(f'log program "{uri.path}": not ready within {READY_WAIT:g} s') from error
    if uri.scheme == "binary-v2" and not byte:
        raise errors.Error(f'log program "{uri.path}": ended without having been ready')


async def _read_one(fd: int) -> bytes:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(fd, readable.set)
    try:
        await readable.wait()
        return os.read(fd, 1)
    finally:
        loop.remove_reader(fd)
