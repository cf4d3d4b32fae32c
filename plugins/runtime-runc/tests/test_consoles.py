from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import socket
import struct
import termios
from pathlib import Path

import pytest

from moorage_runtime_runc import consoles
from moorage_sdk import errors


def test_the_master_comes_over_the_socket(tmp_path: Path) -> None:
    async def main() -> None:
        async with consoles.console_socket(tmp_path, True) as console:
            assert console is not None
            master, slave = pty.openpty()
            with socket.socket(socket.AF_UNIX) as runtime:
                runtime.connect(str(console.path))
                socket.send_fds(runtime, [b"/dev/pts/x"], [master])
            os.close(master)
            received = await console.master()
            assert not os.get_inheritable(received) and not os.get_blocking(received)
            consoles.resize(received, 120, 40)
            size = fcntl.ioctl(slave, termios.TIOCGWINSZ, bytes(8))
            assert struct.unpack("HHHH", size)[:2] == (40, 120)
            for bad in ((-1, 1), (1, 1 << 16)):
                with pytest.raises(errors.InvalidArgument):
                    consoles.resize(received, *bad)
            os.close(received)
            os.close(slave)
        assert not list(tmp_path.iterdir())

    asyncio.run(main())


def test_a_runtime_that_sends_none_or_too_many(tmp_path: Path) -> None:
    async def main() -> None:
        async with consoles.console_socket(tmp_path, True) as console:
            assert console is not None
            for count in (0, 2):
                with socket.socket(socket.AF_UNIX) as runtime:
                    runtime.connect(str(console.path))
                    fds = [os.open(os.devnull, os.O_RDONLY) for _ in range(count)]
                    socket.send_fds(runtime, [b"x"], fds)
                    for fd in fds:
                        os.close(fd)
                before = len(list(Path("/proc/self/fd").iterdir()))
                with pytest.raises(errors.Error, match=f"{count} descriptors"):
                    await console.master()
                assert len(list(Path("/proc/self/fd").iterdir())) == before

    asyncio.run(main())


def test_nothing_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consoles, "WAIT", 0.05)

    async def main() -> None:
        async with consoles.console_socket(tmp_path, True) as console:
            assert console is not None
            with pytest.raises(errors.DeadlineExceeded):
                await console.master()
        async with consoles.console_socket(tmp_path, False) as none:
            assert none is None

    asyncio.run(main())
