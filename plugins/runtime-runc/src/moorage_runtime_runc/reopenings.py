"""What can be opened again of a process whose monitor is gone, and whoever held descriptors for it.

The client's FIFOs lie where they lay. A pipe of ours is still there because init has it for reading, too, so that it
never dies of writing to nobody, and there it is found.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Container, Iterator
from pathlib import Path

from moorage_runtime_runc import fifos, log_files, spools, uris
from moorage_runtime_runc.flows import OUTPUTS
from moorage_sdk import errors
from moorage_sdk.tasks import Stdio


def find(stdio: Stdio, pid: int, held: Container[str], *, stdin_open: bool) -> dict[str, int]:
    """Descriptors by their roles as ``Streams`` has them, but for those that are ``held``. What is gone is left out."""
    found: dict[str, int] = {}
    with contextlib.suppress(errors.Error, OSError):
        for role, fd in _open(stdio, pid, held, stdin_open):
            found[role] = fd
    return found


def _open(stdio: Stdio, pid: int, held: Container[str], stdin_open: bool) -> Iterator[tuple[str, int]]:
    paths = {name: _fifo(target) for name, target in zip(OUTPUTS, (stdio.stdout, stdio.stderr), strict=True)}
    stdin = _fifo(stdio.stdin)
    if stdin is not None and stdin_open and "stdin" not in held and (fd := fifos.try_writer(stdin)) is not None:
        yield "stdin", fd
    for name, path in paths.items():
        if path is not None and name not in held:
            yield name, fifos.open_reader(path)
    log = _log(stdio)
    logged = False
    for number, name in enumerate(OUTPUTS, 1):
        path = paths[name]
        if f"pipe-{name}" in held or (path is None and log is None) or (fd := _pipe(pid, number)) is None:
            continue
        yield f"pipe-{name}", fd
        if path is not None and (fd := fifos.try_writer(path)) is not None:
            yield f"sink-{name}", fd
        elif log is not None:
            logged = True
            yield f"spool-{name}", spools.create()
    if logged and log is not None:
        yield "log", log_files.open_log(log)


def _fifo(target: str) -> Path | None:
    """The path of a FIFO that is there."""
    plain = uris.plain(target)
    if not plain or uris.parse(plain) is not None:
        return None
    with contextlib.suppress(errors.Error):
        return Path(plain) if fifos.is_fifo(Path(plain)) else None
    return None


def _log(stdio: Stdio) -> Path | None:
    uri = uris.parse(stdio.stdout)
    return Path(uri.path) if uri is not None and uri.scheme in ("cri-log", "file") else None


def _pipe(pid: int, number: int) -> int | None:
    """A read end of the pipe that a process has as its descriptor, if that is one of ours: open for both."""
    place = Path(f"/proc/{pid}/fd/{number}")
    try:
        if not str(place.readlink()).startswith("pipe:"):
            return None
        lines = Path(f"/proc/{pid}/fdinfo/{number}").read_text("ascii").splitlines()
        flags = next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
        if flags & os.O_ACCMODE != os.O_RDWR:
            return None
        return os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
