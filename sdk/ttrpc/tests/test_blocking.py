from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_ttrpc import blocking, methods, servers


async def handler(request: bytes, call: methods.Call) -> bytes:
    if request == b"fail":
        raise errors.NotFound("no")
    if request == b"slow":
        await asyncio.sleep(20)
    return request + call.value("k").encode()


def test_calls_and_errors(tmp_path: Path) -> None:
    async def main() -> None:
        server = servers.Server({"s": {"M": methods.Method(bytes, handler, bytes)}})
        await server.serve(tmp_path / "s")

        def ask(payload: bytes, timeout: float = 10.0) -> bytes:
            return blocking.call(tmp_path / "s", "s", "M", payload, [("k", "v")], timeout)

        assert await asyncio.to_thread(ask, b"x" * 300_000) == b"x" * 300_000 + b"v"
        with pytest.raises(errors.NotFound, match="no"):
            await asyncio.to_thread(ask, b"fail")
        with pytest.raises(errors.DeadlineExceeded):
            await asyncio.to_thread(ask, b"slow", 0.1)
        await server.close()
        with pytest.raises(errors.Unavailable):
            await asyncio.to_thread(ask, b"x")

    asyncio.run(main())


def test_a_server_that_hangs_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        async def main() -> None:
            call = asyncio.create_task(asyncio.to_thread(blocking.call, tmp_path / "s", "s", "M", b""))
            connection, _ = await asyncio.to_thread(listener.accept)
            connection.recv(10)
            connection.close()
            with pytest.raises(errors.Unavailable):
                await call

        asyncio.run(main())
