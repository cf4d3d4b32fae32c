"""One process of a container, init or one that exec started: its states and what everybody asks of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from moorage_runtime_runc import consoles, escrows
from moorage_runtime_runc.reapers import UNKNOWN, Ended, Reaper, Watch
from moorage_runtime_runc.records import ProcessRecord
from moorage_runtime_runc.streams import Streams
from moorage_sdk import errors
from moorage_sdk.tasks import Status, Stdio
from moorage_sys import pidfds


class Process:
    """States go from CREATED over RUNNING to STOPPED; whether a container is paused is not the process's business.

    ``busy`` is held by whatever changes the state, so that Start, Delete and Kill of one process follow each other.
    """

    def __init__(self, id: str, stdio: Stdio, spec: dict[str, Any] | None = None) -> None:
        self.id = id
        self.stdio = stdio
        self.spec = spec
        self.status = Status.CREATED
        self.pid = 0
        self.started = 0
        self.exit_status = 0
        self.exited_at = 0
        self.streams = Streams()
        self.stdin_open = True
        self.watch: Watch | None = None
        self.busy = asyncio.Lock()
        self.starting = False
        self._over = asyncio.Event()
        self._deleted = False
        self._pidfd = -1
        self._state: Callable[[Mapping[str, int]], None] | None = None

    def born(self, pid: int, reaper: Reaper) -> Watch:
        """The runtime has told the pid: watch it, also when it is a zombie already. Raises ProcessLookupError."""
        self.pid = pid
        watch = self.follow(reaper.watch(pid))
        self.exit_status = 0
        self._over.clear()  # an earlier start may have failed
        self.started = pidfds.start_time(pid)
        return watch

    def follow(self, watch: Watch) -> Watch:
        """It is watched from now on."""
        self.watch = watch
        if watch.fd >= 0:
            # The reaper closes its own at the end, but until that is recorded a successor may have to ask again.
            self._pidfd = os.dup(watch.fd)
            self._held()
        return watch

    def entrust(self, streams: Streams, state: Callable[[Mapping[str, int]], None]) -> None:
        """These are its streams, and whatever of it has to survive us is told to ``state``, again with each change."""
        self.streams = streams
        self._state = state
        streams.changed = self._held
        self._held()

    def settled(self) -> None:
        """Its end is recorded: nobody has to ask the kernel again."""
        if self._pidfd >= 0:
            fd, self._pidfd = self._pidfd, -1
            self._held()
            os.close(fd)

    def _held(self) -> None:
        if self._state is not None:
            itself = {escrows.PROCESS: self._pidfd} if self._pidfd >= 0 else {}
            self._state({**self.streams.held(), **itself})

    def ended(self, how: Ended) -> None:
        """Its exit is known and announced: let everybody who waits go on."""
        self.status = Status.STOPPED
        self.exit_status = how.code
        self.exited_at = how.at
        self._over.set()

    def never_started(self) -> None:
        """Start failed: it stays in its state, but nobody needs to wait for an exit."""
        self.exit_status = UNKNOWN
        self._over.set()

    async def wait(self) -> None:
        """Until it has ended. Raises errors.NotFound if it was deleted without ever having started."""
        await self._over.wait()
        if self._deleted and self.status is not Status.STOPPED:
            raise errors.NotFound(f'process "{self.id}": deleted before it was started: not found')

    async def deleted(self) -> None:
        """Let go of its streams; whoever still waits gets an answer."""
        self._deleted = True
        self._over.set()
        await self.streams.close()
        self.settled()

    def signal(self, number: int) -> None:
        """Raises errors.FailedPrecondition before it was started, errors.NotFound once it is gone."""
        if self.status is Status.STOPPED:
            raise finished()
        if self.watch is None:
            raise errors.FailedPrecondition("process not created: failed precondition")
        try:
            self.watch.signal(number)
        except ProcessLookupError as error:
            raise finished() from error
        except OSError as error:
            raise errors.InvalidArgument(f"signal {number}: {error.strerror}") from error

    def resize(self, width: int, height: int) -> None:
        """Raises errors.FailedPrecondition when stopped; without a terminal nothing happens, as in containerd."""
        if self.status is Status.STOPPED:
            raise errors.FailedPrecondition("cannot resize a stopped container")
        if self.streams.master is not None:
            with contextlib.suppress(OSError):  # it may hang up at this very moment
                consoles.resize(self.streams.master, width, height)

    def close_stdin(self) -> None:
        self.stdin_open = False
        self.streams.close_stdin()

    def record(self) -> ProcessRecord:
        return ProcessRecord(
            self.id,
            self.stdio,
            self.status,
            self.pid,
            self.started,
            self.exit_status,
            self.exited_at,
            self.stdin_open,
            self.spec,
        )


def finished() -> errors.NotFound:
    """Clients look for these words (process/utils.go, checkKillError)."""
    return errors.NotFound("process already finished: not found")


def program(pid: int) -> tuple[int, int] | None:
    """Device and inode of what a process executes; None for one that has ended."""
    try:
        found = Path(f"/proc/{pid}/exe").stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def read_pid(path: Path) -> int:
    """The pid that a runtime wrote. Raises errors.Internal if it did not."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            return int(file.read(32))
    except (OSError, ValueError) as error:
        raise errors.Internal(f'pid file "{path}": not written by the runtime') from error
