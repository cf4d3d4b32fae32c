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
from moorage_ttrpc import clients, frames, messages, methods, servers


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


class Gate:
    """A handler that answers only once it is opened, and counts how often it was called."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.calls = 0

    async def wait(self, request: bytes, call: methods.Call) -> bytes:
        self.calls += 1
        await self.open.wait()
        return request + call.value("k").encode()


def test_another_server_goes_on_and_no_client_notices(tmp_path: Path) -> None:
    async def main() -> None:
        gate, path = Gate(), tmp_path / "s"
        first, second = serving(Wait=gate.wait, Echo=echo), serving(Wait=gate.wait, Echo=echo)
        await first.serve(path, metadata=(("k", "!"),))
        client = await clients.connect(path)
        waiting = [asyncio.create_task(client.call("s", "Wait", b"%d" % number)) for number in range(3)]
        while gate.calls < 3:
            await asyncio.sleep(0.01)
        first.hold()
        held = asyncio.create_task(client.call("s", "Echo", b"held"))
        late = await clients.connect(path)
        asked = asyncio.create_task(late.call("s", "Echo", b"late"))
        await asyncio.sleep(0.05)
        assert [request.method for request in first.calls] == ["Wait"] * 3
        assert not held.done() and not asked.done()
        handover = await first.hand_over()
        while_nobody_serves = asyncio.create_task(clients.connect(path))
        assert len(handover.connections) == 2 and path.exists() and not first.sessions
        await second.take_over(handover)
        assert await held == b"held" and await asked == b"late"
        gate.open.set()
        assert await asyncio.gather(*waiting) == [b"0!", b"1!", b"2!"]
        assert gate.calls == 6
        for each in (client, late, await while_nobody_serves):
            assert await each.call("s", "Echo", b"x") == b"x"
            await each.close()
        await second.close()
        assert not path.exists()

    before = len(list(Path("/proc/self/fd").iterdir()))
    asyncio.run(asyncio.wait_for(main(), 20))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_frame_read_in_part_is_handed_over_and_one_thrown_away_ends_the_connection(tmp_path: Path) -> None:
    async def main() -> None:
        first, second = serving(Echo=echo), serving(Echo=echo)
        await first.serve(tmp_path / "s")
        whole = frames.encode(
            frames.Frame(1, frames.REQUEST, 0, messages.encode_request(messages.Request("s", "Echo")))
        )
        with socket.socket(socket.AF_UNIX) as raw, socket.socket(socket.AF_UNIX) as huge:
            raw.connect(str(tmp_path / "s"))
            huge.connect(str(tmp_path / "s"))
            raw.sendall(whole[:13])
            huge.sendall(frames.HEADER.pack(1 << 30, 1, frames.REQUEST, 0) + b"x" * 100)
            await asyncio.sleep(0.05)
            first.hold()
            await second.take_over(await first.hand_over())
            raw.sendall(whole[13:])
            raw.setblocking(False)
            answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(raw, 100), 5)
            assert frames.HEADER.unpack_from(answer)[1:3] == (1, frames.RESPONSE)
            huge.settimeout(5)
            assert huge.recv(1) == b""
        await second.close()

    asyncio.run(main())


def test_after_a_release_everything_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        server = serving(Echo=echo)
        await server.serve(tmp_path / "s")
        client = await clients.connect(tmp_path / "s")
        server.hold()
        late = await clients.connect(tmp_path / "s")
        server.hold()
        asked = [asyncio.create_task(each.call("s", "Echo", b"x")) for each in (client, late)]
        await asyncio.sleep(0.05)
        assert not any(each.done() for each in asked)
        server.release()
        server.release()
        assert await asyncio.wait_for(asyncio.gather(*asked), 5) == [b"x", b"x"]
        await client.close()
        await late.close()
        await server.close()

    asyncio.run(main())


def test_a_peer_that_takes_no_answers_is_not_handed_over(tmp_path: Path) -> None:
    async def much(request: bytes, call: methods.Call) -> bytes:
        return bytes(3 << 20)

    async def main() -> None:
        server = serving(Much=much)
        await server.serve(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(tmp_path / "s"))
            request = messages.encode_request(messages.Request("s", "Much"))
            raw.sendall(frames.encode(frames.Frame(1, frames.REQUEST, 0, request)))
            await asyncio.sleep(0.2)
            server.hold()
            handover = await server.hand_over(patience=0.2)
            assert not handover.connections
            for _, fd, _ in handover.listeners:
                os.close(fd)

    asyncio.run(main())
