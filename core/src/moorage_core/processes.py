"""The process that the daemon runs in: what is set once, at its start, before any plugin is imported."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import resource
import stat
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from moorage_core.directories import exact

SWITCH_INTERVAL = 0.0005
"""Seconds. With busy threads the loop's lag was 121 ms at Python's 5 ms, and 20 ms at this."""

NOFILE = "MOORAGE_RLIMIT_NOFILE"
"""``soft:hard`` as the daemon was given it, for plugins that start processes which must get it back."""

log = logging.getLogger(__name__)


def harden(name: str) -> None:
    """Name the process, forbid os.fork, keep what it creates private, allow many descriptors."""
    os.umask(0o077)
    sys.setswitchinterval(SWITCH_INTERVAL)
    sys.addaudithook(_forbid_fork)
    _raise_descriptors()
    try:
        Path("/proc/self/comm").write_text(name)
    except OSError as error:
        log.debug("cannot name the process", extra={"error": error})


def _forbid_fork(event: str, arguments: object) -> None:
    """A fork copies locks that other threads hold, and then hangs. subprocess does without (vfork and exec)."""
    if event in ("os.fork", "os.forkpty"):
        raise RuntimeError(f"{event}: forbidden in the daemon, which has threads; use subprocess without preexec_fn")


def _raise_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.environ[NOFILE] = f"{soft}:{hard}"
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:  # an unlimited hard limit above the kernel's own
        log.warning("cannot raise the limit of open files", extra={"soft": soft, "hard": hard, "error": error})


def exposed(paths: Iterable[str]) -> list[str]:
    """Those directories of code that belong to, or can be written by, somebody who is neither root nor us."""
    found = []
    for path in paths:
        try:
            status = Path(path).stat()
        except OSError:
            continue  # sys.path may name what does not exist
        shared = status.st_mode & (stat.S_IWGRP if status.st_gid else 0) or status.st_mode & stat.S_IWOTH
        if shared or status.st_uid not in (0, os.geteuid()):
            found.append(path)
    return found


def adjust_oom_score(score: int) -> None:
    """Set oom_score_adj; 0 leaves it. Lowering needs CAP_SYS_RESOURCE, and lacking it is no reason not to start."""
    if not score:
        return
    try:
        Path("/proc/self/oom_score_adj").write_text(str(score))
    except OSError as error:
        log.warning("cannot adjust the oom score", extra={"score": score, "error": error})


def use_temporary(path: str) -> None:
    """Make ``path`` (0700) the place of temporary files, for us and our children; empty leaves the system's."""
    if path:
        os.environ["TMPDIR"] = str(exact(Path(path), 0o700))
        tempfile.tempdir = None


def dump_stacks(name: str, tasks: Iterable[asyncio.Task[Any]] = ()) -> Path | None:
    """Write the stacks of threads and ``tasks`` to a file in TMPDIR and to the log; None when the file cannot be."""
    path = Path(tempfile.gettempdir()) / f"{name}.{os.getpid()}.stacks.log"
    try:
        path.unlink(missing_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        log.warning("cannot write the stacks", extra={"path": path, "error": error})
        return None
    with os.fdopen(fd, "r+") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0, os.SEEK_END)
        for task in tasks:
            file.write(f"\n{task!r}\n")
            # Task.print_stack would do, but fails on frames without a line number, which compiled coroutines have.
            for frame in task.get_stack():
                code = frame.f_code
                file.write(f'  File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}\n')
        file.seek(0)
        log.info("stacks of all threads and tasks", extra={"path": path, "stack": file.read()})
    return path


def leave(code: int) -> NoReturn:
    """End at once. Interpreter shutdown would wait for threads of foreign libraries, or trip over their order."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, RuntimeError):
            continue  # whoever read it is gone, or a signal handler interrupted the very same flush
    os._exit(code)


class Deadline:
    """Ends the process with code 1 unless cancelled within ``seconds``, after telling where it hangs."""

    def __init__(self, seconds: float, name: str) -> None:
        self._name = name
        self._timer = threading.Timer(seconds, self._over)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        self._timer.cancel()

    def _over(self) -> None:
        log.error("stopping takes too long, giving up")
        dump_stacks(self._name)
        leave(1)
