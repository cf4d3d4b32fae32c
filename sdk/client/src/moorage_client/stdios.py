"""Attaching this process's standard streams to the FIFOs of a container.

Each direction is one thread that polls and copies. Not asyncio's way, because that would set O_NONBLOCK on inherited
descriptors, which the shell and other programs share with us, and cannot watch regular files at all.

Reading ends are opened before the task exists: nothing that it writes can be lost, and an opener for writing does not
block. A FIFO that had no writer yet neither polls readable nor hung up, so "no writer any more" is the end of output.
The writing end of stdin is opened for reading too, for then it never blocks and never fails before the daemon opens its
end; what stays unread there when the process is gone is nobody's.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from moorage_sdk.tasks import Stdio

PIECE = 1 << 16
SILENCE = 2.0
"""Seconds without a byte after which output is taken for complete although somebody still holds the pipe open: a
background process that outlives the one we waited for."""

_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


@dataclass(frozen=True)
class Local:
    """The descriptors to attach, None for "not at all". They stay the caller's."""

    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None


class Attachment:
    """The threads between local descriptors and FIFOs.

    Opened in the constructor, copying from ``start`` on. ``on_stdin_end`` is called on the loop when local input ends,
    ``on_broken`` when nobody reads our output any more, ``on_detach`` when the detach keys were typed.
    """

    def __init__(
        self,
        stdio: Stdio,
        local: Local,
        *,
        on_stdin_end: Callable[[], None] = lambda: None,
        on_broken: Callable[[], None] = lambda: None,
        on_detach: Callable[[], None] = lambda: None,
        detach_keys: bytes = b"",
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._open: list[int] = []
        self._outputs: list[_Output] = []
        self._input: _Input | None = None
        try:
            for path, sink in ((stdio.stdout, local.stdout), (stdio.stderr, local.stderr)):
                if path and sink is not None:
                    source = self._opened(path, os.O_RDONLY)
                    self._outputs.append(_Output(source, sink, self._wake(), self._later(on_broken)))
            if stdio.stdin and local.stdin is not None:
                target = os.open(stdio.stdin, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
                keys = _Keys(detach_keys)
                self._input = _Input(
                    local.stdin, target, self._wake(), self._later(on_stdin_end), keys, self._later(on_detach)
                )
        except BaseException:
            self._release()
            raise

    def start(self) -> None:
        for thread in self._threads():
            thread.start()

    async def finish(self, silence: float = SILENCE) -> None:
        """The process has ended: wait until its output is written, then stop. ``close`` is still due."""
        for output in self._outputs:
            output.finish(silence)
        for output in self._outputs:
            if output.ident:
                await asyncio.to_thread(output.join)

    async def close(self) -> None:
        """Stop copying at once and release all descriptors. Calling it again does nothing."""
        threads = [thread for thread in self._threads() if thread.ident]
        for thread in threads:
            thread.stop()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        self._release()
        self._outputs, self._input = [], None

    def _threads(self) -> list[_Output | _Input]:
        return [*self._outputs, *([self._input] if self._input else [])]

    def _opened(self, path: str, flags: int) -> int:
        fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
        self._open.append(fd)
        return fd

    def _wake(self) -> int:
        fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._open.append(fd)
        return fd

    def _later(self, callback: Callable[[], None]) -> Callable[[], None]:
        def call() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody is interested any more
                self._loop.call_soon_threadsafe(callback)

        return call

    def _release(self) -> None:
        if self._input:
            self._input.release()
        while self._open:
            os.close(self._open.pop())


class _Output(threading.Thread):
    """FIFO to local descriptor, until nobody writes to it any more."""

    def __init__(self, source: int, sink: int, wake: int, broken: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._source, self._sink, self._wake, self._broken = source, sink, wake, broken
        self._silence: float | None = None
        self._stopped = False

    def finish(self, silence: float) -> None:
        self._silence = silence
        os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        self._stopped = True
        os.eventfd_write(self._wake, 1)

    def run(self) -> None:
        poller = select.poll()
        poller.register(self._source, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        while not self._stopped:
            ready = dict(poller.poll(None if self._silence is None else self._silence * 1000))
            if self._wake in ready:
                os.eventfd_read(self._wake)
            elif not ready:
                return
            if ready.get(self._source, 0) & _READABLE and not self._copy():
                return

    def _copy(self) -> bool:
        """Move one piece; False at the end of the stream. Once broken, output is read and thrown away."""
        try:
            data = os.read(self._source, PIECE)
        except BlockingIOError:
            return True
        if data and self._sink >= 0:
            try:
                _write_all(self._sink, data)
            except OSError:
                self._sink = -1
                self._broken()
        return bool(data)


class _Input(threading.Thread):
    """Local descriptor to FIFO, until it ends or somebody stops it."""

    def __init__(
        self,
        source: int,
        sink: int,
        wake: int,
        ended: Callable[[], None],
        keys: _Keys,
        detached: Callable[[], None],
    ) -> None:
        super().__init__(daemon=True)
        self._source, self._sink, self._wake = source, sink, wake
        self._ended, self._keys, self._detached = ended, keys, detached

    def stop(self) -> None:
        os.eventfd_write(self._wake, 1)

    def release(self) -> None:
        """Close our end of the FIFO: the reader's end of file, once the daemon has closed its end too."""
        if self._sink >= 0:
            os.close(self._sink)
            self._sink = -1

    def run(self) -> None:
        while self._wait(self._source, select.POLLIN):
            try:
                data = os.read(self._source, PIECE)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self.release()
                self._ended()
                return
            passed, detach = self._keys.feed(data)
            if not self._send(passed):
                return
            if detach:
                self._detached()
                return

    def _send(self, data: bytes) -> bool:
        while data:
            if not self._wait(self._sink, select.POLLOUT):
                return False
            with suppress(BlockingIOError):
                data = data[os.write(self._sink, data[: select.PIPE_BUF]) :]
        return True

    def _wait(self, fd: int, events: int) -> bool:
        """Whether ``fd`` is ready; False when it is time to stop."""
        poller = select.poll()
        poller.register(fd, events)
        poller.register(self._wake, select.POLLIN)
        return self._wake not in dict(poller.poll())


class _Keys:
    """Finds a sequence of keys in typed input, and holds back what may be the beginning of it."""

    def __init__(self, sequence: bytes) -> None:
        self._sequence = sequence
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to pass on, and whether the sequence was typed."""
        if not self._sequence:
            return data, False
        data, self._held = self._held + data, b""
        before, found, _ = data.partition(self._sequence)
        if found:
            return before, True
        for length in range(min(len(self._sequence) - 1, len(data)), 0, -1):
            if data.endswith(self._sequence[:length]):
                self._held = data[-length:]
                return data[:-length], False
        return data, False


def _write_all(fd: int, data: bytes) -> None:
    """Also to a descriptor that somebody else made non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            poller = select.poll()
            poller.register(fd, select.POLLOUT)
            poller.poll()
