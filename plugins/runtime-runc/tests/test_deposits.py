"""Both sides of the escrow together."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moorage_runtime_runc import deposits, escrows
from moorage_runtime_runc.custodies import Custody
from moorage_runtime_runc.deposits import Deposits
from moorage_runtime_runc.escrows import Message

Scenario = Callable[[Deposits, Custody, Path], Awaitable[None]]


def play(scenario: Scenario) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory(prefix="moorage-deposit-") as folder:
            path = Path(folder, "s")
            given, custody = Deposits(), Custody(lambda: None)
            given.serve(escrows.listen(path))
            async with asyncio.timeout(20):
                await scenario(given, custody, path)
            custody.close()
            given.close()

    before = len(list(Path("/proc/self/fd").iterdir()))
    asyncio.run(main())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe2(os.O_CLOEXEC)
    yield ends
    for end in ends:
        os.close(end)


async def until(met: Callable[[], bool]) -> None:
    while not met():
        await asyncio.sleep(0.005)


def test_changes_are_followed() -> None:
    async def scenario(given: Deposits, custody: Custody, path: Path) -> None:
        with pipe() as (read, write):
            state = given.keeper("ns", "c")
            state({"stdout": read})
            await given.settled()  # nobody is there to let go of anything
            custody.connect(path)
            await until(lambda: list(custody.held) == ["ns/c//stdout"])
            state({"stdout": read, "pidfd": write})
            await until(lambda: len(custody.held) == 2)
            os.write(custody.held["ns/c//pidfd"], b"x")
            assert os.read(custody.held["ns/c//stdout"], 1) == b"x"
            given.keeper("ns", "c", "e")({"stdin": write})
            state({"pidfd": write})
            await given.settled()
            assert set(custody.held) == {"ns/c//pidfd", "ns/c/e/stdin"} == set(given.held)
            state({})
            given.state("ns/c/e/", {})
            await given.settled()
            assert not custody.held and not given.held

    play(scenario)


def test_a_new_daemon_gets_everything_and_the_old_one_nothing_more() -> None:
    async def scenario(given: Deposits, custody: Custody, path: Path) -> None:
        with pipe() as (read, write):
            for number in range(300):
                given.keeper("ns", f"c{number}")({"stdout": read, "pidfd": write})
            custody.connect(path)
            await until(lambda: len(custody.held) == 600)
            second = Custody(lambda: None)
            second.connect(path)
            await until(lambda: len(second.held) == 600)
            given.state("ns/c0//", {})
            await given.settled()
            assert len(second.held) == 598
            second.close()

    play(scenario)


def test_a_daemon_that_hangs_holds_up_nothing_for_long(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What does not fit into its queue comes when there is room again, and as it is then."""
    monkeypatch.setattr(deposits, "PATIENCE", 0.2)

    async def scenario(given: Deposits, custody: Custody, path: Path) -> None:
        custody.connect(path)
        await asyncio.sleep(0.05)
        connection = custody._connection
        assert connection is not None
        asyncio.get_running_loop().remove_reader(connection)
        with pipe() as (read, write):
            for number in range(2000):
                given.keeper("ns", f"c{number}")({"stdout": read})
            for number in range(1, 2000):
                given.keeper("ns", f"c{number}")({})
            given.keeper("ns", "c0")({"stdout": write})
            await given.settled()
            assert "does not say within 0.2 s" in caplog.text
            asyncio.get_running_loop().add_reader(connection, custody._readable)
            await given.settled()
            await until(lambda: os.path.sameopenfile(custody.held["ns/c0//stdout"], write))
            assert list(custody.held) == ["ns/c0//stdout"]

    play(scenario)


def test_whoever_waits_does_not_wait_for_what_others_drop_after() -> None:
    async def scenario(given: Deposits, custody: Custody, path: Path) -> None:
        custody.connect(path)
        await asyncio.sleep(0.05)
        connection = custody._connection
        assert connection is not None
        asyncio.get_running_loop().remove_reader(connection)
        with pipe() as (read, write):
            given.state("ns/a//", {"stdout": read})
            given.state("ns/b//", {"stdout": write})
            given.state("ns/a//", {})
            first = asyncio.create_task(given.settled())
            await asyncio.sleep(0)
            given.state("ns/b//", {})
            second = asyncio.create_task(given.settled())
            escrows.send(connection, Message(escrows.TAKEN, number=1))
            await asyncio.wait_for(first, 10)
            assert not second.done()
            escrows.send(connection, Message(escrows.TAKEN, number=2))
            await asyncio.wait_for(second, 10)
            await given.settled()

    play(scenario)


def test_a_daemon_that_dies_is_not_waited_for() -> None:
    async def scenario(given: Deposits, custody: Custody, path: Path) -> None:
        custody.connect(path)
        await asyncio.sleep(0.05)
        with pipe() as (read, _):
            given.state("ns/c//", {"stdout": read})
            custody.close()
            given.state("ns/c//", {})
            await given.settled()
            given.state("ns/c//", {"stdout": read})
            custody.connect(path)
            await until(lambda: list(custody.held) == ["ns/c//stdout"])

    play(scenario)


def test_what_the_daemon_tells_arrives_and_it_hears_of_drops() -> None:
    """A message to nobody is lost; whoever connects is told again by the caller."""

    async def main() -> None:
        with tempfile.TemporaryDirectory(prefix="moorage-deposit-") as folder, pipe() as (read, _):
            told: list[tuple[str, int, int]] = []
            dropped: list[tuple[str, ...]] = []
            given = Deposits(lambda *ended: told.append(ended))
            given.serve(escrows.listen(Path(folder, "s")))
            custody = Custody(lambda: None, dropped.append)
            ended = escrows.Message(escrows.ENDED, ("ns/c//",), 137, 5)
            custody.tell(ended)
            custody.connect(Path(folder, "s"))
            custody.tell(ended)
            await until(lambda: bool(told))
            assert told == [("ns/c//", 137, 5)]
            given.state("ns/c//", {"pidfd": read})
            given.state("ns/c//", {})
            await given.settled()
            assert dropped == [("ns/c//pidfd",)]
            custody.close()
            given.close()

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_successor_gets_the_socket_where_daemons_wait() -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory(prefix="moorage-deposit-") as folder, pipe() as (read, _):
            path = Path(folder, "s")
            first, second, custody = Deposits(), Deposits(), Custody(lambda: None)
            assert first.hand_over() == -1
            first.serve(escrows.listen(path))
            fd = first.hand_over()
            custody.connect(path)  # while nobody is there to take it
            second.serve(socket.socket(fileno=fd))
            second.state("ns/c//", {"pidfd": read})
            await until(lambda: list(custody.held) == ["ns/c//pidfd"])
            custody.close()
            second.close()

    asyncio.run(asyncio.wait_for(main(), 20))
