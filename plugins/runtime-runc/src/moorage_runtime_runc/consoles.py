"""Terminals: getting the master from the runtime, its size, and the socket in between."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import itertools
import os
import socket
import struct
import termios
from collections.abc import AsyncIterator
from pathlib import Path

from moorage_sdk import errors
from moorage_ttrpc import sockets

WAIT = 30.0
"""Seconds for the runtime to hand over the terminal (process/init.go in containerd's runc shim)."""

_numbers = itertools.count(1)


class ConsoleSocket:
    """A listening socket whose path is for ``--console-socket``. The runtime connects and sends the pty's master."""

    def __init__(self, folder: Path) -> None:
        # Short names in a folder of ours: a bundle's path alone can be longer than a socket's may be.
        self.path = folder / f"pty{os.getpid()}-{next(_numbers)}"
        self._listener = sockets.listen(self.path)

    async def master(self) -> int:
        """The master, close-on-exec and non-blocking. Raises errors.DeadlineExceeded, errors.Error."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(WAIT):
                connection, _ = await loop.sock_accept(self._listener)
                with connection:
                    await _readable(connection)
                    return _receive(connection)
        except TimeoutError as error:
            raise errors.DeadlineExceeded("console: not handed over by the runtime in time") from error

    def close(self) -> None:
        self._listener.close()
        self.path.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def console_socket(folder: Path, wanted: bool) -> AsyncIterator[ConsoleSocket | None]:
    """A console socket for the length of a with block, if one is wanted."""
    if not wanted:
        yield None
        return
    console = ConsoleSocket(folder)
    try:
        yield console
    finally:
        console.close()


def resize(master: int, width: int, height: int) -> None:
    """In columns and rows. Raises errors.InvalidArgument for sizes a terminal cannot have."""
    if not (0 <= width < 1 << 16 and 0 <= height < 1 << 16):
        raise errors.InvalidArgument(f"terminal size {width}x{height}: out of range")
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(connection, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(connection)


def _receive(connection: socket.socket) -> int:
    fds = array.array("i")
    connection.setblocking(False)
    _, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(fds.itemsize * 4), socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    if len(fds) != 1:
        for fd in fds:
            os.close(fd)
        raise errors.Error(f"console: {len(fds)} descriptors instead of one")
    os.set_blocking(fds[0], False)
    return fds[0]
