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
from moorage_runtime_runc.reapers import Reaper
from moorage_runtime_runc.spawns import Spawner
from moorage_runtime_runc.uris import Uri
from moorage_sdk import errors
from moorage_sys import pidfds

READY_WAIT = 30.0
STOP_WAIT = 12.0
"""Seconds between SIGTERM and SIGKILL (binaryIOProcTermTimeout in process/io.go)."""


@dataclass(frozen=True, slots=True)
class Logger:
    """A running log program, as descriptors that the caller owns: a pidfd and the write ends of its two pipes.

    Nobody else has a read end, so who writes after it has died gets EPIPE, as under containerd's shim: with one of
    ours he would block, and reading from it would rob whoever the program has left to read.
    """

    pidfd: int
    stdout: int
    stderr: int


async def stop(pidfd: int) -> None:
    """Ask one to end; it has read all there is by then or has ``STOP_WAIT`` seconds to. It may be nobody's child."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            pidfds.send_signal(pidfd, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_readable(pidfd), STOP_WAIT)
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
        pidfd = ours.add(os.pidfd_open(pid))
        ours.close(ready_write)
        try:
            await _wait_ready(uri, ready_read)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                watch.signal(signal.SIGKILL)
            raise
        return Logger(ours.take(pidfd), ours.take(out_write), ours.take(err_write))


async def _wait_ready(uri: Uri, fd: int) -> None:
    try:
        byte = await asyncio.wait_for(_read_one(fd), READY_WAIT)
    except TimeoutError as error:
        raise errors.DeadlineExceeded(f'log program "{uri.path}": not ready within {READY_WAIT:g} s') from error
    if uri.scheme == "binary-v2" and not byte:
        raise errors.Error(f'log program "{uri.path}": ended without having been ready')


async def _read_one(fd: int) -> bytes:
    await _readable(fd)
    return os.read(fd, 1)


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(fd, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(fd)
