"""The serving side of ttrpc."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

from moorage_ttrpc import peers, sockets
from moorage_ttrpc.connections import Connection
from moorage_ttrpc.methods import Metadata, Services
from moorage_ttrpc.sessions import Session

log = logging.getLogger(__name__)


class Server:
    """Serves methods on one or more unix sockets of one event loop."""

    def __init__(self, services: Services, *, allow: Callable[[peers.Peer], bool] = peers.same_user) -> None:
        self._services = services
        self._allow = allow
        self._listeners: list[asyncio.Server] = []
        self._files: list[tuple[Path, tuple[int, int]]] = []
        self._sessions: set[Session] = set()

    @property
    def sessions(self) -> int:
        """How many connections are open."""
        return len(self._sessions)

    async def serve(self, path: Path, mode: int = 0o600, metadata: Metadata = ()) -> None:
        """Listen at ``path``; connections are served as long as the loop runs. Raises as ``sockets.listen``.

        ``metadata`` stands behind what a caller on this socket sends of its own.
        """
        listener = sockets.listen(path, mode)
        self._files.append((path, sockets.identity(path)))
        await self.serve_socket(listener, metadata)

    async def serve_socket(self, listener: socket.socket, metadata: Metadata = ()) -> None:
        """Serve a socket that listens already, such as an inherited one. The server closes it."""
        loop = asyncio.get_running_loop()
        accept = partial(self._accept, metadata)
        self._listeners.append(await loop.create_unix_server(accept, sock=listener))

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
        for path, known in self._files:
            sockets.remove(path, known)
        for listener in self._listeners:
            for each in listener.sockets:
                loop.remove_reader(each.fileno())
        await asyncio.sleep(0)
        for listener in self._listeners:
            listener.close()
        self._files.clear()
        self._listeners.clear()

    def _accept(self, metadata: Metadata) -> Connection:
        session = Session(self._services, self._admit, self._sessions.discard, metadata)
        self._sessions.add(session)
        return session.connection

    def _admit(self, peer: peers.Peer) -> bool:
        allowed = self._allow(peer)
        if not allowed:
            log.warning("connection from pid %d, uid %d: refused", peer.pid, peer.uid)
        return allowed
