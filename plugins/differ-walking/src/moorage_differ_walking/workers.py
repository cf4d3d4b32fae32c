"""The daemon's side of a worker: start, feed, ask, stop."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

from moorage_differ_walking import jobs
from moorage_differ_walking.jobs import Apply, Compare, Outcome
from moorage_sdk import errors

_PIPE_SIZE = 1 << 20
_ANSWER_LIMIT = 1 << 20
_STDERR_SHOWN = 2000
_CHUNK = 1 << 20


class Worker:
    """One process for one job. ``stdin`` is a descriptor to read from, or None to be fed by ``write``."""

    def __init__(self, job: Apply | Compare, stdin: int | None = None) -> None:
        """Raises OSError."""
        answer, answer_end = os.pipe()
        self._answer = open(answer, "rb")  # noqa: SIM115  # closed by close
        try:
            self._process = _start(job, stdin, answer_end)
        except BaseException:
            self._answer.close()
            raise
        finally:
            os.close(answer_end)
        self._stderr = b""
        self._reading = threading.Thread(target=self._collect, name="worker stderr", daemon=True)
        self._reading.start()
        self._seconds = job.limits.seconds if isinstance(job, Apply) else 0
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                _enlarge(pipe.fileno())

    def write(self, data: bytes | memoryview) -> None:
        """Feed the job. When the worker has ended, its error is raised."""
        assert self._process.stdin
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._process.stdin.fileno(), view) :]
        except BrokenPipeError:
            self.result()
            raise errors.InvalidArgument("layer: more data than the unpacker wanted: invalid argument") from None

    def output(self) -> Iterator[bytes]:
        """What a comparison writes."""
        assert self._process.stdout
        while piece := os.read(self._process.stdout.fileno(), _CHUNK):
            yield piece

    def result(self) -> Outcome:
        """Wait for the end. Raises the worker's error; errors.DeadlineExceeded and errors.Internal for a dead one."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        data = self._answer.read(_ANSWER_LIMIT)
        status = self._process.wait()
        if data:
            return jobs.load_outcome(data)
        self._reading.join(5)
        if status == -signal.SIGALRM:
            raise errors.DeadlineExceeded(f"layer: not unpacked within {self._seconds} seconds: deadline exceeded")
        said = self._stderr.decode("utf-8", "replace").strip()[-_STDERR_SHOWN:]
        raise errors.Internal(f"unpack worker: ended with status {status}: {said or 'no message'}: internal")

    def running(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """Stop the worker if it runs. Calling it again does nothing."""
        if self._process.poll() is None:
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._answer):
            if pipe and not pipe.closed:
                pipe.close()
        self._process.wait()
        self._reading.join(5)

    def _collect(self) -> None:
        """Empty the worker's standard error as it comes, or a talkative one would wait for us for ever."""
        assert self._process.stderr
        with self._process.stderr as pipe:
            while piece := os.read(pipe.fileno(), 4096):
                self._stderr = (self._stderr + piece)[-2 * _STDERR_SHOWN :]


def _start(job: Apply | Compare, stdin: int | None, answer_end: int) -> subprocess.Popen[bytes]:
    job_fd = os.memfd_create("job", os.MFD_CLOEXEC)
    try:
        os.write(job_fd, jobs.dump_job(job))
        os.lseek(job_fd, 0, os.SEEK_SET)
        return subprocess.Popen(
            [sys.executable, "-I", "-m", "moorage_differ_walking", str(job_fd), str(answer_end)],
            stdin=subprocess.PIPE if stdin is None else stdin,
            stdout=subprocess.PIPE if isinstance(job, Compare) else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(job_fd, answer_end),
            cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2"},
        )
    finally:
        os.close(job_fd)


def _enlarge(fd: int) -> None:
    try:
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    except OSError:
        # Over the user's share of pipe buffers: slower, not wrong.
        return
