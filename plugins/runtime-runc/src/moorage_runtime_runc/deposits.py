"""The monitor's side of the escrow: which descriptors have to survive it, and telling the daemon of each change."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

from moorage_runtime_runc import escrows
from moorage_runtime_runc.escrows import Message
from moorage_sdk import errors
from moorage_ttrpc import peers

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds that a daemon gets to let go of what it was told to; one that hangs must not keep containers from going."""

_BATCH = 200


class Deposits:
    """``state`` says what there is of one process; the rest follows from the difference.

    ``ended`` is called with what a daemon tells of a process: its name, exit code, and when it ended in nanoseconds.

    A message that does not fit into the daemon's queue waits, and the descriptors for it are looked up when it goes:
    whoever closes one has stated before that it is none of them any more.
    """

    def __init__(self, ended: Callable[[str, int, int], None] | None = None) -> None:
        self._ended = ended
        self._held: dict[str, dict[str, int]] = {}
        self._listener: socket.socket | None = None
        self._connection: socket.socket | None = None
        self._outbox: deque[Message] = deque()
        self._number = 0
        self._taken = 0
        self._waiting: dict[asyncio.Future[None], int] = {}

    def serve(self, listener: socket.socket) -> None:
        """Take daemons that connect to ``listener``, which is closed with us."""
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._accept)

    def close(self) -> None:
        """Tell nobody any more. What was put stays with the daemon."""
        self._disconnect()
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def hand_over(self) -> int:
        """Close, but for the socket where daemons connect: its descriptor, for a successor. -1 if there is none."""
        fd = os.dup(self._listener.fileno()) if self._listener is not None else -1
        self.close()
        return fd

    @property
    def held(self) -> Mapping[str, int]:
        """Everything, by key."""
        return {key: fd for held in self._held.values() for key, fd in held.items()}

    def state(self, name: str, held: Mapping[str, int]) -> None:
        """From now on these are the descriptors, by role, of the process called ``name`` (``escrows.name``)."""
        before = self._held.get(name, {})
        now = {f"{name}{role}": fd for role, fd in held.items()}
        if now:
            self._held[name] = now
        else:
            self._held.pop(name, None)
        if gone := tuple(before.keys() - now.keys()):
            self._number += 1
            self._tell(Message(escrows.DROP, gone, self._number))
        if new := tuple(key for key, fd in now.items() if before.get(key) != fd):
            self._tell(Message(escrows.PUT, new))

    def keeper(self, namespace: str, id: str, exec_id: str = "") -> Callable[[Mapping[str, int]], None]:
        """``state`` for one process; init for an empty exec id."""
        return partial(self.state, escrows.name(namespace, id, exec_id))

    async def settled(self) -> None:
        """Wait until the daemon, if there is one, has let go of everything that was not stated any more by now."""
        if self._taken >= self._number:
            return
        # For a number of its own: on a busy node the last one may never be the one that the daemon is at.
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiting] = self._number
        try:
            async with asyncio.timeout(PATIENCE):
                await waiting
        except TimeoutError:
            log.warning("escrow: the daemon does not say within %g s that it let go of descriptors", PATIENCE)
        finally:
            self._waiting.pop(waiting, None)

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            if not peers.same_user(peers.of(connection)):
                log.warning("escrow: connection of another user refused")
                connection.close()
                return
            self._disconnect()  # a daemon that comes is the one there is
            self._connection = connection
            asyncio.get_running_loop().add_reader(connection, self._readable)
            self._tell_all()

    def _tell_all(self) -> None:
        keys = tuple(self.held)
        for start in range(0, len(keys), _BATCH):
            self._tell(Message(escrows.PUT, keys[start : start + _BATCH]))
        self._tell(Message(escrows.COMPLETE))

    def _tell(self, message: Message) -> None:
        if self._connection is None:
            self._let_go(self._number)
            return
        self._outbox.append(message)
        if len(self._outbox) == 1:
            self._flush()

    def _flush(self) -> None:
        while self._outbox and self._connection is not None:
            try:
                self._send(self._connection, self._outbox[0])
            except BlockingIOError:
                asyncio.get_running_loop().add_writer(self._connection, self._writable)
                return
            except OSError as error:
                if error.errno not in (errno.ETOOMANYREFS, errno.EMFILE):
                    self._disconnect()
                    return
                log.error("escrow: %d descriptors not put: %s", len(self._outbox[0].keys), error.strerror)
            self._outbox.popleft()

    def _send(self, connection: socket.socket, message: Message) -> None:
        if message.verb != escrows.PUT:
            escrows.send(connection, message)
            return
        found = [(key, fd) for key in message.keys if (fd := self._descriptor(key)) is not None]
        if found:
            escrows.send(connection, Message(escrows.PUT, tuple(key for key, _ in found)), [fd for _, fd in found])

    def _descriptor(self, key: str) -> int | None:
        return self._held.get(key[: key.rindex("/") + 1], {}).get(key)

    def _writable(self) -> None:
        assert self._connection is not None
        asyncio.get_running_loop().remove_writer(self._connection)
        self._flush()

    def _readable(self) -> None:
        assert self._connection is not None
        try:
            while (received := escrows.receive(self._connection)) is not None:
                self._heard(received[0])
        except BlockingIOError:
            return
        except (OSError, errors.DataLoss) as error:
            log.warning("escrow: %s", error)
        self._disconnect()

    def _heard(self, message: Message) -> None:
        if message.verb == escrows.TAKEN:
            self._let_go(message.number)
        elif message.verb == escrows.ENDED and self._ended is not None:
            for name in message.keys:
                self._ended(name, message.number, message.at)

    def _disconnect(self) -> None:
        if self._connection is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._connection)
        loop.remove_writer(self._connection)
        self._connection.close()
        self._connection = None
        self._outbox.clear()
        self._let_go(self._number)

    def _let_go(self, number: int) -> None:
        """Nobody else has what was dropped by a message of this number or before."""
        self._taken = max(self._taken, number)
        for waiting, wanted in self._waiting.items():
            if wanted <= number and not waiting.done():
                waiting.set_result(None)
