"""The daemon's side against a monitor's that is played by hand; both together are in test_deposits."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from moorage_runtime_runc import custodies, escrows
from moorage_runtime_runc.custodies import Custody
from moorage_runtime_runc.escrows import Message
from moorage_sdk import errors

Scenario = Callable[[Custody, Path, list[str]], Awaitable[None]]


def play(scenario: Scenario) -> None:
    """With a custody, the path where it connects, and a list that grows with each loss."""

    async def main() -> None:
        with tempfile.TemporaryDirectory(prefix="moorage-custody-") as folder:
            losses: list[str] = []
            custody = Custody(lambda: losses.append("lost"))
            await scenario(custody, Path(folder, "s"), losses)
            custody.close()
            assert not custody.held

    before = len(list(Path("/proc/self/fd").iterdir()))
    asyncio.run(main())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def put(monitor: socket.socket, *keys: str) -> None:
    fds = [os.open(os.devnull, os.O_RDONLY) for _ in keys]
    escrows.send(monitor, Message(escrows.PUT, keys), fds)
    for fd in fds:
        os.close(fd)


def accept(listener: socket.socket) -> socket.socket:
    connection, _ = listener.accept()
    return connection


def test_it_keeps_until_told_to_drop_and_says_so() -> None:
    async def scenario(custody: Custody, path: Path, losses: list[str]) -> None:
        with escrows.listen(path) as listener:
            custody.connect(path)
            with accept(listener) as monitor:
                put(monitor, "n/a//x", "n/a//y")
                put(monitor, "n/a//y")  # replaces
                escrows.send(monitor, Message(escrows.DROP, ("n/a//x", "n/z//x"), 3))
                await asyncio.sleep(0.05)
                assert list(custody.held) == ["n/a//y"]
                assert escrows.receive(monitor) == (Message(escrows.TAKEN, number=3), [])

    play(scenario)


def test_what_a_dead_monitor_left_is_kept_until_the_next_has_put_all() -> None:
    async def scenario(custody: Custody, path: Path, losses: list[str]) -> None:
        with escrows.listen(path) as listener:
            custody.connect(path)
            with accept(listener) as monitor:
                put(monitor, "n/a//x", "n/b//x")
            assert custody.connected
            custody.catch_up()  # before the loop has come to it
            assert losses == ["lost"] and not custody.connected
            assert set(custody.held) == {"n/a//x", "n/b//x"}
            custody.connect(path)
            with accept(listener) as monitor:
                put(monitor, "n/a//x")
                custody.catch_up()
                assert set(custody.held) == {"n/a//x", "n/b//x"}
                escrows.send(monitor, Message(escrows.COMPLETE))
                custody.catch_up()
                assert set(custody.held) == {"n/a//x"}
            await asyncio.sleep(0.05)
            assert losses == ["lost", "lost"]

    play(scenario)


def test_a_limit_is_said_once_and_not_exceeded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(custody: Custody, path: Path, losses: list[str]) -> None:
        custody._limit = 3
        with escrows.listen(path) as listener:
            custody.connect(path)
            with accept(listener) as monitor:
                put(monitor, "n/a//x", "n/a//y")
                put(monitor, "n/b//x", "n/b//y")
                put(monitor, "n/c//x")
                custody.catch_up()
                assert list(custody.held) == ["n/a//x", "n/a//y", "n/b//x"]
                assert [record.levelname for record in caplog.records] == ["ERROR"]
                assert "3 descriptors kept, no more" in caplog.text

    assert custodies.SHARE == 2
    play(scenario)


def test_no_monitor_no_custody_and_nonsense_ends_it() -> None:
    async def scenario(custody: Custody, path: Path, losses: list[str]) -> None:
        with pytest.raises(errors.Unavailable):
            custody.connect(path)
        with escrows.listen(path) as listener:
            custody.connect(path)
            with accept(listener) as monitor:
                monitor.send(b"nonsense")
                custody.catch_up()
                assert losses == ["lost"] and not custody.connected

    play(scenario)
