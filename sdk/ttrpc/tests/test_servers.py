from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_ttrpc import clients, methods, servers


async def echo(request: bytes, call: methods.Call) -> bytes:
    return request


async def forever(request: bytes, call: methods.Call) -> bytes:
    await asyncio.Event().wait()
    return b""


def serving(**handlers: Any) -> servers.Server:
    return servers.Server({"s": {name: methods.Method(bytes, handler, bytes) for name, handler in handlers.items()}})


def test_the_socket_is_private_and_goes_with_the_server(tmp_path: Path) -> None:
    async def main() -> None:
        server = serving(Echo=echo)
        await server.serve(tmp_path / "s")
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
        client = await clients.connect(tmp_path / "s")
        assert await client.call("s", "Echo", b"x") == b"x"
        await server.close()
        assert not (tmp_path / "s").exists()
        await asyncio.wait_for(client.connection.closed.wait(), 5)

    asyncio.run(main())


def test_metadata_of_a_socket_stands_behind_the_callers_own(tmp_path: Path) -> None:
    async def tell(request: bytes, call: methods.Call) -> bytes:
        return call.value("k").encode()

    async def main() -> None:
        server = serving(Tell=tell)
        await server.serve(tmp_path / "plain")
        await server.serve(tmp_path / "named", metadata=(("k", "socket"),))
        plain, named = await clients.connect(tmp_path / "plain"), await clients.connect(tmp_path / "named")
        assert await plain.call("s", "Tell", b"") == b""
        assert await named.call("s", "Tell", b"") == b"socket"
        assert await named.call("s", "Tell", b"", metadata=[("k", "own")]) == b"own"
        await plain.close()
        await named.close()
        await server.close()

    asyncio.run(main())


def test_a_refused_peer_is_cut_off(tmp_path: Path) -> None:
    async def main() -> None:
        asked = []
        server = servers.Server({}, allow=lambda peer: bool(asked.append(peer)))
        await server.serve(tmp_path / "s")
        client = await clients.connect(tmp_path / "s")
        with pytest.raises(errors.Unavailable):
            await client.call("s", "Echo", b"x")
        assert asked[0].pid == os.getpid() and asked[0].uid == os.getuid()
        await server.close()

    asyncio.run(main())


def test_shutdown_lets_calls_end_and_close_cancels_them(tmp_path: Path) -> None:
    async def main() -> None:
        going = asyncio.Event()

        async def slow(request: bytes, call: methods.Call) -> bytes:
            going.set()
            await asyncio.sleep(0.1)
            return b"done"

        server = serving(Slow=slow, Forever=forever)
        await server.serve(tmp_path / "s")
        client = await clients.connect(tmp_path / "s")
        call = asyncio.create_task(client.call("s", "Slow", b""))
        await going.wait()
        await server.shutdown(5)
        assert await call == b"done"

        server = serving(Forever=forever)
        await server.serve(tmp_path / "t")
        client = await clients.connect(tmp_path / "t")
        call = asyncio.create_task(client.call("s", "Forever", b""))
        await asyncio.sleep(0.05)
        await server.shutdown(0.05)
        with pytest.raises(errors.Unavailable):
            await call

    asyncio.run(main())


@pytest.mark.parametrize("ticks", range(6))
def test_close_leaves_no_connection_open_however_fresh(tmp_path: Path, ticks: int) -> None:
    """A connection goes from the listener to its session in several steps of the loop; close may fall between any."""

    async def main() -> None:
        server = serving(Echo=echo)
        await server.serve(tmp_path / "s")
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX) as peer:
            peer.setblocking(False)
            await loop.sock_connect(peer, str(tmp_path / "s"))
            for _ in range(ticks):
                await asyncio.sleep(0)
            await asyncio.wait_for(server.close(), 5)
            assert await asyncio.wait_for(_rest(loop, peer), 5) == b""
        assert server.sessions == 0

    asyncio.run(main())


async def _rest(loop: asyncio.AbstractEventLoop, peer: socket.socket) -> bytes:
    """What comes until the end; a connection that nobody took from the listener ends with a reset."""
    try:
        return await loop.sock_recv(peer, 1)
    except ConnectionResetError:
        return b""


def test_ssl_is_not_needed() -> None:
    code = (
        "import sys; sys.modules['ssl'] = None\n"
        "import moorage_ttrpc.servers, moorage_ttrpc.clients\n"
        "assert not {'grpc', 'google.protobuf', '_ssl'} & set(sys.modules), sorted(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
