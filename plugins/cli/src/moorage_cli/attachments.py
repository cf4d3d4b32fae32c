"""A process in the foreground: its streams are ours, our signals are its, its exit code becomes ours."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from moorage_cli import signals
from moorage_client import stdios, terminals
from moorage_client.clients import Client
from moorage_sdk import errors
from moorage_sdk.tasks import Exit, Stdio

DETACH_KEYS = b"\x10\x11"
"""Ctrl-P, Ctrl-Q, as docker has it."""

PATIENCE = 30.0
"""Seconds that a daemon may be gone before we give up on it."""

RETRY = 0.5
"""Seconds between attempts to reach it."""


@dataclass(frozen=True)
class Streams:
    """Which of our streams to attach. Without ``terminal`` detach keys are ordinary input."""

    interactive: bool = False
    terminal: bool = False

    def check(self) -> None:
        """Raises errors.InvalidArgument for an interactive terminal without one on our side."""
        if self.interactive and self.terminal and not (sys.stdin and sys.stdin.isatty()):
            raise errors.InvalidArgument("standard input: not a terminal: invalid argument", hint="leave out -t")

    def local(self) -> stdios.Local:
        stdin = sys.stdin.fileno() if self.interactive and sys.stdin is not None else None
        stderr = None if self.terminal else sys.stderr.fileno()
        return stdios.Local(stdin, sys.stdout.fileno(), stderr)


class Foreground:
    """One attached process. ``exec_id`` is empty for a container's init.

    ``begin`` makes the process with the FIFOs that it is given; ``launch`` starts it, unless it runs already.
    """

    def __init__(self, client: Client, id: str, exec_id: str, streams: Streams) -> None:
        self._client, self._id, self._exec_id, self._streams = client, id, exec_id, streams
        self._background: set[asyncio.Task[None]] = set()
        self._detached = asyncio.Event()
        self.started = False

    async def run(
        self, stdio: Stdio, begin: Callable[[], Awaitable[Any]] | None, launch: bool, *, proxy: bool = True
    ) -> Exit | None:
        """Until the process ends, or the person detaches: None then. Raises what ``begin`` raises."""
        attachment = stdios.Attachment(
            stdio,
            self._streams.local(),
            on_stdin_end=lambda: self._soon(self._client.tasks.close_stdin(self._id, self._exec_id)),
            on_broken=lambda: self._send(signal.SIGKILL),
            on_detach=self._detached.set,
            detach_keys=DETACH_KEYS if self._streams.terminal else b"",
        )
        try:
            if begin is not None:
                await begin()
            with self._controlled(proxy):
                return await self._supervise(attachment, launch)
        finally:
            await attachment.close()
            for task in self._background:
                task.cancel()

    async def _supervise(self, attachment: stdios.Attachment, launch: bool) -> Exit | None:
        waiting = asyncio.create_task(self._wait())
        leaving = asyncio.create_task(self._detached.wait())
        try:
            if launch:
                # An init has its terminal by now and can be told its size before it looks; an exec gets it in its spec.
                if not self._exec_id:
                    await _ignored(self._resized())
                await self._client.tasks.start(self._id, self._exec_id)
            self.started = True
            attachment.start()
            self._resize()
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                return None
            await attachment.finish()
            return waiting.result()
        finally:
            waiting.cancel()
            leaving.cancel()

    async def _wait(self) -> Exit:
        """Containers outlive a daemon that restarts, and so does our interest in them, for some time."""
        failures = 0
        while True:
            asked = time.monotonic()
            try:
                return await self._client.tasks.wait(self._id, self._exec_id)
            except errors.Unavailable:
                # A wait that lasted had found a daemon; only those that fail at once count as absence.
                failures = failures + 1 if time.monotonic() - asked < RETRY else 1
                if failures * RETRY > PATIENCE:
                    raise
                await asyncio.sleep(RETRY)

    @contextmanager
    def _controlled(self, proxy: bool) -> Iterator[None]:
        with ExitStack() as stack:
            if proxy:
                stack.enter_context(signals.forwarded(self._send))
            if self._streams.terminal:
                if self._streams.interactive:
                    stack.enter_context(terminals.raw(sys.stdin.fileno()))
                stack.enter_context(signals.resized(self._resize))
            yield

    def _send(self, number: int) -> None:
        self._soon(self._client.tasks.kill(self._id, number, exec_id=self._exec_id))

    def _resize(self) -> None:
        self._soon(self._resized())

    async def _resized(self) -> None:
        size = local_size() if self._streams.terminal else None
        if size:
            await self._client.tasks.resize(self._id, self._exec_id, *size)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_ignored(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def local_size() -> tuple[int, int] | None:
    """Columns and rows of our terminal, on whichever stream it is."""
    return next((size for fd in (0, 1, 2) if (size := terminals.size(fd))), None)


async def _ignored(work: Coroutine[Any, Any, None]) -> None:
    """A signal, a new size or the end of input that comes too late for the process is no failure."""
    try:
        await work
    except errors.Error:
        return
