"""The serving side of ttrpc."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from moorage_ttrpc import peers, sockets
from moorage_ttrpc.connections import Connection
from moorage_ttrpc.messages import Request
from moorage_ttrpc.methods import Metadata, Services
from moorage_ttrpc.sessions import Session

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Handover:
    """What it takes to go on serving in another process image: descriptors, which belong to whoever has this.

    ``listeners`` are path, descriptor and metadata, ``connections`` descriptor, metadata and what was read already.
    """

    listeners: tuple[tuple[Path, int, Metadata], ...] = ()
    connections: tuple[tuple[int, Metadata, bytes], ...] = ()


class Server:
    """Serves methods on one or more unix sockets of one event loop."""

    def __init__(self, services: Services, *, allow: Callable[[peers.Peer], bool] = peers.same_user) -> None:
        self._services = services
        self._allow = allow
        self._listeners: list[asyncio.Server] = []
        self._files: list[tuple[Path, tuple[int, int], socket.socket, Metadata]] = []
        self._sessions: set[Session] = set()
        self._held = False

    @property
    def sessions(self) -> int:
        """How many connections are open."""
        return len(self._sessions)

    async def serve(self, path: Path, mode: int = 0o600, metadata: Metadata = ()) -> None:
        """Listen at ``path``; connections are served as long as the loop runs. Raises as ``sockets.listen``.

        ``metadata`` stands behind what a caller on this socket sends of its own.
        """
        await self._serve_file(path, sockets.listen(path, mode), metadata)

    async def serve_socket(self, listener: socket.socket, metadata: Metadata = ()) -> None:
        """Serve a socket that listens already, such as an inherited one. The server closes it."""
        loop = asyncio.get_running_loop()
        accept = partial(self._accept, metadata)
        if sys.version_info >= (3, 13):  # which would unlink the file, be it a successor's by then
            self._listeners.append(await loop.create_unix_server(accept, sock=listener, cleanup_socket=False))
        else:
            self._listeners.append(await loop.create_unix_server(accept, sock=listener))

    def hold(self) -> None:
        """Read no more requests, of new connections neither, until ``release``. Those that were read go on."""
        if self._held:
            return
        self._held = True
        for session in self._sessions:
            session.connection.hold()

    def release(self) -> None:
        if not self._held:
            return
        self._held = False
        for session in self._sessions:
            session.connection.release()

    @property
    def calls(self) -> Iterator[Request]:
        """The requests that are not answered yet."""
        return chain.from_iterable(session.calls for session in self._sessions)

    async def hand_over(self, patience: float = 5.0) -> Handover:
        """Stop, on ``hold``, so that a successor can go on and no peer notices. Calls that run are cancelled, and
        asked again there.

        A connection whose peer does not take its answers for ``patience`` seconds is closed instead.
        """
        listeners = [(path, os.dup(listener.fileno()), metadata) for path, _, listener, metadata in self._files]
        self._files.clear()
        await self._stop_listening()
        taken = [await self._suspend(session, patience) for session in list(self._sessions)]
        await asyncio.gather(*(session.ended() for session in list(self._sessions)))
        return Handover(tuple(listeners), tuple(each for each in taken if each is not None))

    async def take_over(self, handover: Handover) -> None:
        """Go on where the server of that handover stopped."""
        loop = asyncio.get_running_loop()
        for path, fd, metadata in handover.listeners:
            listener = socket.socket(fileno=fd)
            listener.setblocking(False)
            await self._serve_file(path, listener, metadata)
        for fd, metadata, early in handover.connections:
            connection = socket.socket(fileno=fd)
            connection.setblocking(False)
            await loop.connect_accepted_socket(partial(self._accept, metadata, early), connection)

    async def shutdown(self, grace: float = 10.0) -> None:
        """Take no more connections, let running calls end for ``grace`` seconds, then close."""
        await self._stop_listening()
        busy = [session.idle() for session in self._sessions]
        if busy:
            await asyncio.wait([asyncio.ensure_future(idle) for idle in busy], timeout=grace)
        await self.close()

    async def close(self) -> None:
        """Close everything now; running calls are cancelled."""
        await self._stop_listening()
        for session in list(self._sessions):
            session.connection.close()
        await asyncio.gather(*(session.ended() for session in list(self._sessions)))

    async def _stop_listening(self) -> None:
        """Take no more connections. What the loop took already gets its session first: a listener that is closed in
        between would make asyncio drop that socket without closing it (``_attach`` in base_events.py)."""
        loop = asyncio.get_running_loop()
        for path, known, _, _ in self._files:
            sockets.remove(path, known)
        for listener in self._listeners:
            for each in listener.sockets:
                loop.remove_reader(each.fileno())
        await asyncio.sleep(0)
        for listener in self._listeners:
            listener.close()
        self._files.clear()
        self._listeners.clear()

    async def _serve_file(self, path: Path, listener: socket.socket, metadata: Metadata) -> None:
        self._files.append((path, sockets.identity(path), listener, metadata))
        await self.serve_socket(listener, metadata)

    async def _suspend(self, session: Session, patience: float) -> tuple[int, Metadata, bytes] | None:
        """Descriptor, metadata and what was read of a connection; None for one that ends here."""
        taken = None
        rest = await session.suspend()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(session.connection.flush(), patience)
            if rest is not None and not session.connection.closing:
                taken = os.dup(session.connection.socket.fileno()), session.metadata, rest
        session.connection.abort()
        return taken

    def _accept(self, metadata: Metadata, early: bytes = b"") -> Connection:
        session = Session(self._services, self._admit, self._sessions.discard, metadata, early)
        if self._held:
            session.connection.hold()
        self._sessions.add(session)
        return session.connection

    def _admit(self, peer: peers.Peer) -> bool:
        allowed = self._allow(peer)
        if not allowed:
            log.warning("connection from pid %d, uid %d: refused", peer.pid, peer.uid)
        return allowed
