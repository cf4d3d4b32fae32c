"""Stream processors at work: programs of the operator, in a row, each reading what the one before it writes.

They run outside of the confined worker, as the daemon's user, with what ``core/diff/stream_unix.go`` gives them: the
media type in the environment, the request's payload for them at descriptor 3.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from moorage_differ_walking.routes import Step
from moorage_sdk import errors

MEDIA_TYPE = "STREAM_PROCESSOR_MEDIATYPE"
"""``mediaTypeEnvVar`` in core/diff/stream.go."""

_PAYLOAD_FD = 3
"""The first of Go's ExtraFiles."""
_LINGER = 5.0
"""Seconds that a processor gets to end after all that it wrote was read."""
_SHOWN = 2000
_CHUNK = 4096
_LOOK = 1.0
_VICTIM = (-signal.SIGPIPE, 128 + signal.SIGPIPE)
"""The end of a program that nobody reads, and of a shell around such a one."""
_RESET = (signal.SIGPIPE, signal.SIGXFSZ)
"""What Python ignores and a program expects to die of."""


class Running:
    """One processor. ``failure`` and ``close`` may be called again."""

    def __init__(self, step: Step, payload: bytes | None, stdin: int, stdout: int) -> None:
        """Raises errors.Error when the program cannot be started."""
        self.step = step
        self.status: int | None = None
        self._said = b""
        stderr, stderr_end = os.pipe()
        try:
            self._pid = _spawn(step, payload, (stdin, stdout, stderr_end))
            self._pidfd = os.pidfd_open(self._pid)
        except BaseException:
            os.close(stderr)
            raise
        finally:
            os.close(stderr_end)
        self._reading = threading.Thread(target=self._collect, args=(stderr,), name="processor stderr", daemon=True)
        self._reading.start()

    def failure(self, seconds: float) -> errors.Error | None:
        """What went wrong with a processor that ends by itself within ``seconds``; None for one that does not."""
        if self.status is None and _ready(self._pidfd, select.POLLIN, seconds):
            ended = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOWAIT)  # the pid must stay ours until close
            assert ended
            self.status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        if not self.status:
            return None
        self._reading.join(_LOOK)  # a child of its own may hold the pipe
        how = f"exited with {self.status}" if self.status > 0 else f"killed by signal {-self.status}"
        said = self._said.decode("utf-8", "replace").strip()[-_SHOWN:]
        return errors.Error(f'stream processor "{self.step.id}": {how}: {said or "no message"}')

    def close(self) -> None:
        """Kill it, with what it has started, and wait for it."""
        if self._pidfd < 0:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._pidfd)
        self._pidfd = -1

    def _collect(self, stderr: int) -> None:
        """Empty its standard error as it comes, or a talkative one would wait for us for ever."""
        with open(stderr, "rb", buffering=0) as pipe:
            while piece := pipe.read(_CHUNK):
                self._said = (self._said + piece)[-2 * _SHOWN :]


class Chain:
    """Processors one behind the other. ``output`` is to be read from; both ends belong to the chain."""

    def __init__(self, steps: Sequence[Step], payloads: Mapping[str, bytes], stdin: int | None = None) -> None:
        """``stdin`` is a descriptor to read the blob from, or None for one fed by ``write``. Raises errors.Error."""
        self._running: list[Running] = []
        self._fds: set[int] = set()
        self._input = -1
        try:
            source = self._fed() if stdin is None else stdin
            for step in steps:
                source = self._start(step, payloads.get(step.id), source)
        except BaseException:
            self.close()
            raise
        self.output = source

    def write(self, data: bytes | memoryview, wanted: Callable[[], bool]) -> None:
        """Feed the first processor; what it does not want is dropped, and so is all once nobody ``wanted`` it."""
        view = memoryview(data)
        while view and self._input >= 0:
            try:
                view = view[os.write(self._input, view) :]
            except BlockingIOError:
                if not _ready(self._input, select.POLLOUT, _LOOK) and not wanted():
                    self.finish()
            except BrokenPipeError:
                self.finish()

    def finish(self) -> None:
        """No more is fed."""
        if self._input >= 0:
            self._fds.discard(self._input)
            os.close(self._input)
            self._input = -1

    def release(self) -> None:
        """Close ``output``, which somebody else has by now, so that the processors see when that one is gone."""
        if self.output in self._fds:
            self._fds.discard(self.output)
            os.close(self.output)

    def failure(self, seconds: float = _LINGER) -> errors.Error | None:
        """The first processor's that failed. One that died of nobody reading its output is the victim of another."""
        ends = time.monotonic() + seconds
        found = [running.failure(max(0.0, ends - time.monotonic())) for running in self._running]
        causes = [running.status not in _VICTIM for running in self._running]
        ranked = [each for each, cause in zip(found, causes, strict=True) if each and cause]
        return next(iter(ranked), None)

    def close(self) -> None:
        """Kill what still runs. Calling it again does nothing."""
        for running in self._running:
            running.close()
        while self._fds:
            os.close(self._fds.pop())
        self._input = -1

    def _fed(self) -> int:
        source, self._input = os.pipe()
        self._fds |= {source, self._input}
        os.set_blocking(self._input, False)
        with suppress(OSError):  # over the user's share of pipe buffers: slower, not wrong
            fcntl.fcntl(self._input, fcntl.F_SETPIPE_SZ, 1 << 20)
        return source

    def _start(self, step: Step, payload: bytes | None, source: int) -> int:
        """Start a processor on what it reads, which then is its alone; returns what to read from it."""
        output, output_end = os.pipe()
        self._fds.add(output)
        try:
            self._running.append(Running(step, payload, source, output_end))
        finally:
            os.close(output_end)
        if source in self._fds:
            self._fds.discard(source)
            os.close(source)
        return output


def _ready(fd: int, event: int, seconds: float) -> bool:
    """poll, for select knows no descriptor above 1023."""
    poll = select.poll()
    poll.register(fd, event)
    return bool(poll.poll(seconds * 1000))


def _spawn(step: Step, payload: bytes | None, streams: tuple[int, int, int]) -> int:
    """posix_spawn, for subprocess can give a child no descriptor 3 without a fork."""
    processor = step.processor
    pairs = (each.partition("=") for each in processor.env if "=" in each)  # execve takes others, and nobody reads them
    environment = {**os.environ, **{name: value for name, _, value in pairs}, MEDIA_TYPE: step.media_type}
    actions: list[tuple[int, int, int]] = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(streams)]
    memory = -1
    try:
        if payload is not None:
            memory = os.memfd_create("payload", os.MFD_CLOEXEC)
            os.write(memory, payload)
            os.lseek(memory, 0, os.SEEK_SET)
            actions.append((os.POSIX_SPAWN_DUP2, memory, _PAYLOAD_FD))
        return os.posix_spawnp(
            processor.path,
            [processor.path, *processor.args],
            environment,
            file_actions=actions,
            setpgroup=0,
            setsigmask=(),
            setsigdef=_RESET,
        )
    except FileNotFoundError as error:
        raise errors.Error(
            f'stream processor "{step.id}" for "{step.media_type}": exec: "{processor.path}": not found in PATH',
            hint="install it, or mend [stream_processors] in the configuration",
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in a name or an argument
        raise errors.Error(f'stream processor "{step.id}": exec: "{processor.path}": {error}') from error
    finally:
        if memory >= 0:
            os.close(memory)
