"""Running a program that is told something, answers and ends; and getting rid of one that does not.

Pipes are our own: asyncio waits for the end of those it made itself before it reports the end of a process, and whoever
inherited one may hold it for ever.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

LONGEST = 10 << 20
"""Bytes that a program may say on either way; as many as containerd's shims take from it (pkg/shim/shim.go)."""

_CHUNK = 64 << 10


@dataclass(frozen=True, slots=True)
class Said:
    """Exit status, negative for a signal, standard output and standard error."""

    status: int
    output: bytes
    complaint: bytes


async def converse(
    program: Path, arguments: Sequence[str], told: bytes, *, folder: str, env: Mapping[str, str], timeout: float
) -> Said:
    """Run ``program`` in ``folder`` with ``told`` as its standard input, for at most ``timeout`` seconds.

    Whatever it started in its own process group is killed with it when it does not behave. Raises OSError when it
    cannot be run, TimeoutError, OverflowError for more than ``LONGEST`` bytes.
    """
    async with _pipe() as (output, mouth), _pipe() as (complaint, cry):
        process = await _spawn(program, arguments, told, (mouth, cry), folder, env)
        try:
            async with asyncio.timeout(timeout):
                heard = await asyncio.gather(_all(output), _all(complaint))
                return Said(await process.wait(), *heard)
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def _spawn(
    program: Path, arguments: Sequence[str], told: bytes, ends: tuple[int, int], folder: str, env: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """The write ends are the program's alone afterwards."""
    ear = os.memfd_create("moorage-told")
    try:
        os.pwrite(ear, told, 0)
        return await asyncio.create_subprocess_exec(
            program, *arguments, stdin=ear, stdout=ends[0], stderr=ends[1], cwd=folder, env=env, process_group=0
        )
    finally:
        for fd in (ear, *ends):
            os.close(fd)


@asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """Our end as a stream, and the other, which is for somebody else to close."""
    read, write = os.pipe()
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(read, "rb", 0)
    )
    try:
        yield stream, write
    finally:
        transport.close()


async def _all(stream: asyncio.StreamReader) -> bytes:
    data = bytearray()
    while chunk := await stream.read(_CHUNK):
        data += chunk
        if len(data) > LONGEST:
            raise OverflowError
    return bytes(data)
