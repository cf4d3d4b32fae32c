"""What a monitor and its daemon say to each other about descriptors that have to survive the monitor.

The monitor listens on a unix socket of its own (SOCK_SEQPACKET, so that a message and its descriptors are one thing),
and puts into the daemon's hands whatever its successor will need. What sendmsg(2) has returned for lies in the daemon's
queue, and outlives the sender. A message is a JSON array: verb, keys, number, time.

- ``put``: a descriptor for each key comes along, in this order. One that was there under its key is replaced.
- ``drop``: those are not needed any more. It is numbered.
- ``complete``: everything there is was put, on a connection that has just been made.
- ``taken``: the daemon's answer to a drop, with its number.
- ``ended``: the daemon has learned how a process ended (``orphans``); the key is its name, the number its exit code.
"""

from __future__ import annotations

import array
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moorage_sdk import errors

PUT, DROP, COMPLETE, TAKEN, ENDED = "put", "drop", "complete", "taken", "ended"

PROCESS = "pidfd"
"""The role of the descriptor of a process itself, beside those that ``Streams.held`` names."""

MAX_DESCRIPTORS = 253
"""Most descriptors of one message (SCM_MAX_FD in include/net/scm.h of Linux)."""

_NUMBERS = array.array("i")

_MAX_MESSAGE = 96 << 10
"""Bytes; a key is a namespace, two ids of at most 76 each, and a role."""


@dataclass(frozen=True, slots=True)
class Message:
    """``number`` is that of a drop and its answer; ``at`` is in nanoseconds since the epoch."""

    verb: str
    keys: tuple[str, ...] = ()
    number: int = 0
    at: int = 0


def name(namespace: str, id: str, exec_id: str = "") -> str:
    """What the keys of one process begin with. None of the three can have a slash in it."""
    return f"{namespace}/{id}/{exec_id}/"


def beside(path: Path) -> Path:
    """Where the escrow of the monitor is whose own socket is at ``path``."""
    return path.with_suffix(".escrow")


def listen(path: Path) -> socket.socket:
    """A listening socket for the owner alone; what an earlier monitor left at ``path`` is replaced. Raises OSError."""
    path.unlink(missing_ok=True)
    listener = _socket()
    try:
        os.fchmod(listener.fileno(), 0o600)  # bind(2) gives the file the socket's mode
        listener.bind(os.fspath(path))
        listener.listen(8)
    except BaseException:
        listener.close()
        raise
    return listener


def connect(path: Path) -> socket.socket:
    """A connection to a monitor. Raises errors.Unavailable if none listens."""
    connection = _socket()
    try:
        connection.connect(os.fspath(path))
    except OSError as error:
        connection.close()
        raise errors.Unavailable(f'escrow "{path}": {error.strerror}') from error
    return connection


def send(connection: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Raises BlockingIOError when the other side has too much to read, OSError when it is gone."""
    data = json.dumps([message.verb, message.keys, message.number, message.at], separators=(",", ":")).encode()
    if socket.send_fds(connection, [data], descriptors) != len(data):
        raise OSError(f"escrow: message of {len(data)} bytes cut off")


def receive(connection: socket.socket) -> tuple[Message, list[int]] | None:
    """The next message and its descriptors, close-on-exec; None at the end.

    There are fewer descriptors than keys where the limit of open files was reached; those are the first ones.
    Raises BlockingIOError when there is none now, errors.DataLoss for what is no message, OSError.
    """
    # socket.recv_fds does not pass its flags on, and so no close-on-exec.
    size = socket.CMSG_SPACE(MAX_DESCRIPTORS * _NUMBERS.itemsize)
    data, ancillary, _, _ = connection.recvmsg(_MAX_MESSAGE, size, socket.MSG_CMSG_CLOEXEC)
    descriptors = _NUMBERS[:]
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content[: len(content) - len(content) % _NUMBERS.itemsize])
    if not data:
        return None
    try:
        verb, keys, number, at = json.loads(data)
        return Message(str(verb), tuple(map(str, keys)), int(number), int(at)), descriptors.tolist()
    except (ValueError, TypeError) as error:
        for fd in descriptors:
            os.close(fd)
        raise errors.DataLoss(f"escrow: message of {len(data)} bytes: {error}") from error


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
