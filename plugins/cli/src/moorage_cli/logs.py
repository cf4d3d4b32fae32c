"""Logs of detached containers: plain files that the runtime appends to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from moorage_sdk import errors, identifiers
from moorage_sdk.containers import Container

FOLDER = Path("/var/log/moorage")
LABEL = "moorage/log"
"""Container label with the path of its log."""

SCHEME = "file://"
PIECE = 1 << 16
INTERVAL = 0.1
"""Seconds between looks at a log that is followed."""


def place(namespace: str, id: str, folder: Path | None = None) -> Path:
    """Where the log of a container lies. Raises errors.InvalidArgument for what is no identifier."""
    folder = folder or FOLDER
    return folder / identifiers.validate(namespace, "namespace") / f"{identifiers.validate(id, 'container')}.log"


def kept(namespace: str, container: Container) -> Path | None:
    """The log of a container that has one.

    Its label is believed only when it says what we would write: images bring labels, too, and clients copy them.
    """
    own = place(namespace, container.id)
    return own if container.labels.get(LABEL) == str(own) else None


def create(namespace: str, id: str, folder: Path | None = None) -> Path:
    """An empty log, mode 0600 in directories of mode 0700: what a program writes is nobody else's business.

    Made here because the runtime would make it with modes of its own. A log that exists is kept and appended to.
    """
    path = place(namespace, id, folder)
    for each in (path.parent.parent, path.parent):  # mkdir gives parents that it makes the mode of the umask
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    return path


def open_log(path: Path) -> BinaryIO:
    """Raises errors.NotFound."""
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        raise errors.NotFound(f'log "{path}": not found') from None


def seek_tail(log: BinaryIO, lines: int) -> None:
    """Go to the beginning of the last ``lines`` lines, reading backwards no more than they are long."""
    position = end = log.seek(0, os.SEEK_END)
    missing = lines
    while position > 0 and missing > 0:
        start = max(0, position - PIECE)
        log.seek(start)
        data = log.read(position - start)
        if position == end and data.endswith(b"\n"):
            data = data[:-1]
        while (found := data.rfind(b"\n")) >= 0:
            missing -= 1
            if missing == 0:
                log.seek(start + found + 1)
                return
            data = data[:found]
        position = start
    log.seek(0 if lines > 0 else end)


def pieces(log: BinaryIO) -> Iterator[bytes]:
    """What there is from here to the end."""
    while data := log.read(PIECE):
        yield data


async def follow(log: BinaryIO, ended: asyncio.Future[Any]) -> AsyncIterator[bytes]:
    """What there is and what comes, until ``ended`` is done and all is read."""
    while True:
        over = ended.done()  # asked before reading: what was written until then is read now
        for data in pieces(log):
            yield data
        if over:
            return
        done, _ = await asyncio.wait([ended], timeout=INTERVAL)
        if done:  # a shim that copies its container's output may tell of the end before it has copied all of it
            await asyncio.sleep(INTERVAL)
