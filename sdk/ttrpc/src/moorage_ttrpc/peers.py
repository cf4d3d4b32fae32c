"""Who is at the other end of a unix socket."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass

_UCRED = struct.Struct("iII")  # struct ucred in include/linux/socket.h


@dataclass(frozen=True, slots=True)
class Peer:
    """The credentials a process had when it called connect(2)."""

    pid: int
    uid: int
    gid: int


def of(connection: socket.socket) -> Peer:
    """The peer of a connected unix socket. Raises OSError."""
    return Peer(*_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))


def same_user(peer: Peer) -> bool:
    """The default policy of a server: root, and the user it runs as itself."""
    return peer.uid in (0, os.geteuid())
