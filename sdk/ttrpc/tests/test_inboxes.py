from __future__ import annotations

import asyncio

import pytest

from moorage_sdk import errors
from moorage_ttrpc.connections import Connection
from moorage_ttrpc.inboxes import HIGH_WATER, Inbox


class Line(Connection):
    """A connection that only counts who holds it."""

    def __init__(self) -> None:
        super().__init__(lambda frame: None, lambda: None)


def test_messages_come_before_the_end_and_before_the_error() -> None:
    async def main() -> None:
        inbox = Inbox(Line())
        inbox.put(b"a")
        inbox.put(b"")
        inbox.fail(errors.Aborted("x"))
        assert await inbox.get() == b"a"
        assert await inbox.get() == b""
        with pytest.raises(errors.Aborted):
            await inbox.get()
        clean = Inbox(Line())
        clean.end()
        clean.fail(errors.Aborted("too late"))
        assert await clean.get() is None

    asyncio.run(main())


def test_a_full_inbox_holds_its_connection_until_it_is_read_or_dropped() -> None:
    async def main() -> None:
        line = Line()
        first, second = Inbox(line), Inbox(line)
        for _ in range(HIGH_WATER):
            first.put(b"x")
            second.put(b"y")
        assert line._holds == 2
        for _ in range(HIGH_WATER // 2 + 1):
            await first.get()
        assert line._holds == 1
        second.discard()
        assert line._holds == 0

    asyncio.run(main())


def test_a_waiting_reader_is_woken() -> None:
    async def main() -> None:
        inbox = Inbox(Line())
        reader = asyncio.create_task(inbox.get())
        await asyncio.sleep(0)
        inbox.put(b"late")
        assert await asyncio.wait_for(reader, 5) == b"late"

    asyncio.run(main())
