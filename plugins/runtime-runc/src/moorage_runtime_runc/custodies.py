"""The daemon's side of the escrow: keeping what a monitor put into its hands until that monitor's successor has it."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from moorage_runtime_runc import escrows
from moorage_runtime_runc.escrows import Message
from moorage_sdk import errors

log = logging.getLogger(__name__)

SHARE = 2
"""The part of the limit of open files, one in so many, that a daemon spends on what it only keeps."""


class Custody:
    """Calls ``lost`` when a connection has ended by itself, which is how the death of a monitor is known at once, and
    ``dropped`` with the keys of what is not needed any more.

    Descriptors of an earlier connection are kept until the next one has put everything that there is.
    """

    def __init__(self, lost: Callable[[], None], dropped: Callable[[tuple[str, ...]], None] | None = None) -> None:
        self._lost = lost
        self._dropped = dropped
        self._connection: socket.socket | None = None
        self._earlier: dict[str, int] = {}
        self._present: dict[str, int] = {}
        self._limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // SHARE
        self._warned = False

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def held(self) -> Mapping[str, int]:
        """Descriptors by key. They stay ours."""
        return {**self._earlier, **self._present}

    def connect(self, path: Path) -> None:
        """Take custody of what the monitor at ``path`` has. Raises errors.Unavailable."""
        connection = escrows.connect(path)
        self._earlier, self._present = dict(self.held), {}
        self._connection = connection
        self._warned = False
        asyncio.get_running_loop().add_reader(connection, self._readable)

    def tell(self, message: Message) -> None:
        """Say something to the monitor, if one is there; who comes later has to be told again."""
        if self._connection is not None:
            try:
                escrows.send(self._connection, message)
            except OSError as error:
                log.warning("escrow: %s: %s not told", error.strerror, message.verb)

    def catch_up(self) -> None:
        """Read what is there to be read, the end of the connection too, before the loop comes to it."""
        if self._connection is not None:
            self._readable()

    def close(self) -> None:
        """Keep nothing any more."""
        self._disconnect()
        self._clear(self._earlier)
        self._clear(self._present)

    def _readable(self) -> None:
        assert self._connection is not None
        try:
            while (received := escrows.receive(self._connection)) is not None:
                self._take(self._connection, *received)
        except BlockingIOError:
            return
        except (OSError, errors.DataLoss) as error:
            log.warning("%s", error)
        self._disconnect()
        self._lost()

    def _take(self, connection: socket.socket, message: Message, descriptors: list[int]) -> None:
        if message.verb == escrows.PUT:
            self._put(message.keys, descriptors)
        elif message.verb == escrows.DROP:
            self._drop(message.keys)
            if self._dropped is not None:
                self._dropped(message.keys)
            escrows.send(connection, Message(escrows.TAKEN, number=message.number))
        elif message.verb == escrows.COMPLETE:
            self._clear(self._earlier)

    def _put(self, keys: tuple[str, ...], descriptors: list[int]) -> None:
        self._drop(keys)
        room = max(self._limit - len(self._present) - len(self._earlier), 0)
        for fd in descriptors[room:]:
            os.close(fd)
        kept = dict(zip(keys, descriptors[:room], strict=False))
        self._present |= kept
        if len(kept) < len(keys) and not self._warned:
            self._warned = True
            log.error(
                "escrow: %d descriptors kept, no more: the limit of open files is too low for the containers there are;"
                " the output of some would not survive the death of the node monitor",
                len(self._present) + len(self._earlier),
            )

    def _drop(self, keys: tuple[str, ...]) -> None:
        for kept in (self._present, self._earlier):
            for key in keys:
                if (fd := kept.pop(key, None)) is not None:
                    os.close(fd)

    def _disconnect(self) -> None:
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection)
            self._connection.close()
            self._connection = None

    @staticmethod
    def _clear(kept: dict[str, int]) -> None:
        while kept:
            os.close(kept.popitem()[1])
