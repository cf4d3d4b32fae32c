from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage_runtime_runc import log_files, spools
from moorage_runtime_runc.entries import Entries, Format, Raw
from moorage_runtime_runc.log_files import LogFile
from moorage_runtime_runc.log_writers import LogWriter
from moorage_runtime_runc.spools import Spool


class Logged:
    """A process's output, its log, and the one who writes it; ``again`` is what happens after that one was killed."""

    def __init__(self, path: Path, format: Format) -> None:
        self.path, self.format = path, format
        self.source, self.process = os.pipe2(os.O_CLOEXEC)
        self.spool = spools.create()
        self.log = log_files.open_log(path)
        self.ended = False
        self.again()

    def again(self) -> None:
        parts = self.source, Spool(self.spool), LogFile(self.log), self.format
        self.writer = LogWriter("stdout", *parts, self._end)

    def _end(self) -> None:
        self.ended = True

    async def close(self) -> bytes:
        """What was logged, once the process has ended."""
        os.close(self.process)
        async with asyncio.timeout(20):
            await self.writer.done.wait()
        assert self.ended
        for fd in (self.source, self.spool, self.log):
            os.close(fd)
        return self.path.read_bytes()


def text(logged: bytes) -> bytes:
    """What the kubelet makes of a log."""
    lines = logged.splitlines(keepends=True)
    return b"".join(line[40:] if line[38:39] == b"F" else line[40:-1] for line in lines)


def test_lines_are_written_as_they_come_and_the_rest_at_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        logged = Logged(tmp_path / "log", Entries())
        os.write(logged.process, b"one\ntw")
        async with asyncio.timeout(20):
            while not logged.path.read_bytes().endswith(b" stdout F one\n"):
                await asyncio.sleep(0.005)
        os.write(logged.process, b"o\nthree")
        data = await logged.close()
        assert text(data) == b"one\ntwo\nthree" and data.endswith(b" stdout P three\n")

    asyncio.run(main())


def test_a_rest_without_an_end_does_not_keep_us_busy(tmp_path: Path) -> None:
    async def main() -> None:
        logged = Logged(tmp_path / "log", Entries())
        calls = itertools.count()
        encode = logged.writer._write

        def count(**options: Any) -> None:
            next(calls)
            encode(**options)

        logged.writer._write = count  # type: ignore[method-assign]
        os.write(logged.process, b"no end")
        await asyncio.sleep(0.2)
        assert next(calls) == 1
        await logged.close()

    asyncio.run(main())


class Killed(BaseException):
    """In the middle of something."""


@pytest.mark.parametrize("format", [Entries(), Entries(10), Raw()])
def test_killed_between_any_two_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: Format) -> None:
    """Lines that are all the same, so that nothing but what was noted tells how far it came."""

    async def main() -> None:
        logged = Logged(tmp_path / "log", format)
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        dice, sent, kills = random.Random(7), bytearray(), 0
        countdown = [0]
        for call in ("splice", "write", "pwrite", "ftruncate"):
            monkeypatch.setattr(os, call, deadly(getattr(os, call), logged, countdown, dice))
        for _ in range(1500):
            data = dice.choice([b"tick\n", b"tick\n" * 3, b"ti", b"ck\n"]) if sent.endswith(b"\n") else b"\n"
            sent += data
            monkeypatch_free_write(logged.process, data)
            countdown[0] = dice.randrange(1, 12)
            try:
                logged.writer._ready()
            except Killed:
                kills += 1
                logged.writer.stop()
                while True:
                    countdown[0] = dice.randrange(1, 12)
                    try:
                        logged.again()
                        break
                    except Killed:
                        logged.writer.stop()
        countdown[0] = 0
        data = await logged.close()
        assert kills > 100
        assert (data if isinstance(format, Raw) else text(data)) == bytes(sent)

    monkeypatch_free_write = os.write
    asyncio.run(main())


def deadly(
    original: Callable[..., Any], logged: Logged, countdown: list[int], dice: random.Random
) -> Callable[..., Any]:
    """The same call, but it kills before or after its work, or in its middle, when the countdown comes to 1."""

    def call(*arguments: Any, **options: Any) -> Any:
        countdown[0] -= 1
        if countdown[0]:
            return original(*arguments, **options)
        way = dice.choice(["before", "after", "middle"])
        if original.__name__ == "write" and way == "middle" and len(arguments[1]) > 1:
            original(arguments[0], arguments[1][: len(arguments[1]) // 2])
        elif way == "after":
            original(*arguments, **options)
        raise Killed

    return call


def test_an_end_that_came_while_nobody_lived(tmp_path: Path) -> None:
    async def main() -> None:
        logged = Logged(tmp_path / "log", Entries())
        logged.writer.stop()
        logged.writer.stop()
        os.write(logged.process, b"last words")
        logged.again()
        assert text(await logged.close()) == b"last words"

    asyncio.run(main())


def test_finished_while_somebody_may_still_write(tmp_path: Path) -> None:
    async def main() -> None:
        logged = Logged(tmp_path / "log", Entries())
        os.write(logged.process, b"one\ntwo")
        logged.writer.finish()
        logged.writer.finish()
        assert logged.writer.done.is_set() and not logged.ended
        assert text((tmp_path / "log").read_bytes()) == b"one\ntwo"
        for fd in (logged.process, logged.source, logged.spool, logged.log):
            os.close(fd)

    asyncio.run(main())
