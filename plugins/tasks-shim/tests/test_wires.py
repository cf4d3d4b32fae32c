"""What carries calls to shims, of both kinds."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage_api import methods
from moorage_api.messages import shim_v3
from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_tasks_shim import wires
from moorage_testkit.fakes.grpc_shims import GrpcShim
from moorage_testkit.fakes.shims import Shim
from moorage_ttrpc import frames

TASK = methods.service("containerd.task.v3.Task")
KINDS: dict[str, Any] = {"ttrpc": Shim, "grpc": GrpcShim}


@pytest.fixture(params=KINDS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def create(wire: wires.Wire, id: str = "c", timeout: float | None = None) -> Any:
    request = shim_v3.CreateTaskRequest(id=id)
    return await wire.call(TASK, "Create", request, namespace="ns", timeout=timeout)


def test_calls_arrive_with_their_namespace(tmp_path: Path, protocol: str) -> None:
    async def run() -> None:
        async with KINDS[protocol](tmp_path / "s") as shim:
            wire = await wires.connect(Endpoint(str(shim.path), protocol=protocol))
            assert (await create(wire)).pid == shim.tasks["ns", "c", ""].pid
            with pytest.raises(errors.AlreadyExists):
                await create(wire)
            shim.hang.add("Create")
            with pytest.raises(errors.DeadlineExceeded):
                await create(wire, timeout=0.1)
            assert not wire.closed
            await asyncio.wait_for(wire.close(), 10)
            assert wire.closed
            with pytest.raises(errors.Unavailable):
                await create(wire)

    asyncio.run(run())


def test_the_end_of_the_shim_is_noticed(tmp_path: Path, protocol: str) -> None:
    async def run() -> None:
        async with KINDS[protocol](tmp_path / "s") as shim:
            wire = await wires.connect(Endpoint(str(shim.path), protocol=protocol))
            await shim.stop()
            await asyncio.wait_for(wire.ended(), 10)
            assert wire.closed
            with pytest.raises(errors.Unavailable):
                await create(wire)
            wire.drop()

    asyncio.run(run())


def test_nobody_there_is_unavailable_at_once(tmp_path: Path, protocol: str) -> None:
    async def run() -> None:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(tmp_path / "left"))
        for name in ("none", "left"):
            async with asyncio.timeout(2):
                with pytest.raises(errors.Unavailable):
                    await wires.connect(Endpoint(str(tmp_path / name), protocol=protocol))

    asyncio.run(run())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_somebody_elses_socket_is_not_spoken_to(tmp_path: Path, protocol: str) -> None:
    tmp_path.chmod(0o777)
    code = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print(flush=True)"
    code += "; connection, _ = s.accept(); print(connection.recv(100), flush=True)"
    folder = tmp_path
    while folder != folder.parent and folder != Path("/tmp"):
        folder.chmod(folder.stat().st_mode | 0o011)
        folder = folder.parent
    words = ["setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-I", "-c", code, str(tmp_path / "s")]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout is not None
        stranger.stdout.readline()
        with pytest.raises(errors.PermissionDenied, match="belongs to user 65534"):
            asyncio.run(wires.connect(Endpoint(str(tmp_path / "s"), protocol=protocol)))
        assert stranger.stdout.readline() == b"b''\n"  # not a byte was said


def test_an_answer_that_is_none_is_the_shims_fault(tmp_path: Path) -> None:
    """The connection is still good for the others."""
    answers = [b"\x08", b"\x08\x07"]

    async def run() -> None:
        async with served(tmp_path / "s", lambda stream: response(stream, answers.pop(0))):
            wire = await wires.connect(Endpoint(str(tmp_path / "s")))
            with pytest.raises(errors.Error, match="Create: answer is no CreateTaskResponse"):
                await create(wire)
            assert (await create(wire)).pid == 7
            await wire.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (lambda stream: struct.pack(">IIBB", frames.MAX_LENGTH + 1, stream, frames.RESPONSE, 0), None),
        (lambda stream: response(stream, b"\x08\x07")[:-1], errors.Unavailable),
        (lambda stream: b"\xff" * 64, None),
        (lambda stream: response(stream + 2, b"\x08\x07"), None),
    ],
    ids=["too-long", "closes-mid-frame", "noise", "of-another-stream"],
)
def test_a_shim_that_misbehaves_harms_its_own_calls_only(
    tmp_path: Path, words: Callable[[int], bytes], error: type[errors.Error] | None
) -> None:
    async def run() -> None:
        async with served(tmp_path / "s", words, close=error is errors.Unavailable):
            wire = await wires.connect(Endpoint(str(tmp_path / "s")))
            with pytest.raises(error or errors.Error):
                await create(wire, timeout=1.0)
            await asyncio.wait_for(wire.close(), 10)

    asyncio.run(run())


class served:
    """A peer that answers each request with the bytes of ``words(stream)``."""

    def __init__(self, path: Path, words: Callable[[int], bytes], *, close: bool = False) -> None:
        self.path, self.words, self.close = path, words, close

    async def __aenter__(self) -> None:
        self.server = await asyncio.start_unix_server(self._serve, self.path)

    async def __aexit__(self, *ignored: object) -> None:
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(10):
            length, stream, _, _ = struct.unpack(">IIBB", head)
            await reader.readexactly(length)
            writer.write(self.words(stream))
            if self.close:
                break
        writer.close()


def response(stream: int, payload: bytes) -> bytes:
    data = b"\x12" + bytes([len(payload)]) + payload
    return struct.pack(">IIBB", len(data), stream, frames.RESPONSE, 0) + data


def test_grpc_is_not_loaded_for_shims_that_do_without() -> None:
    code = "import sys, moorage_tasks_shim.wires; print('grpc' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
