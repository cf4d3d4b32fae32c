"""Streams as threads of the daemon use them."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.empty_pb2 import Empty

from moorage_sdk import errors
from moorage_services.streams import MAX_AHEAD, MAX_QUEUED, MAX_UNREAD, Ended, Stream


def test_a_stream_that_nobody_serves_is_not_waited_for() -> None:
    async def work() -> None:
        stream = Stream(asyncio.get_running_loop())
        stream.close()
        await asyncio.wait_for(stream.written(60), 10)

    asyncio.run(work())


def test_a_reader_that_does_not_read_is_bounded() -> None:
    async def main() -> None:
        stream = Stream(asyncio.get_running_loop())
        for _ in range(MAX_QUEUED):
            stream.send(Empty())
        with pytest.raises(errors.ResourceExhausted):
            stream.send(Empty())

    asyncio.run(main())


def test_a_closed_stream_takes_nothing_and_waiting_can_be_given_up() -> None:
    async def main() -> Stream:
        return Stream(asyncio.get_running_loop())

    stream = asyncio.run(main())
    with pytest.raises(errors.Cancelled):
        stream.receive(lambda: True)
    stream.close()
    stream.close()
    with pytest.raises(errors.Unavailable):
        stream.send(Empty())
    with pytest.raises(errors.Aborted, match="closed by the daemon"):
        stream.receive()
    with pytest.raises(errors.Unavailable):
        stream.send_paced(Empty())


def test_the_end_of_the_client_is_no_other_unavailability() -> None:
    async def main() -> None:
        stream = Stream(asyncio.get_running_loop())
        stream.received(Packed(value=b"last"))
        stream.received(None)
        assert stream.receive().value == b"last"
        for _ in range(2):
            with pytest.raises(Ended):
                stream.receive()

    asyncio.run(main())


def test_who_sends_at_the_pace_of_the_client_waits_for_it() -> None:
    async def main() -> None:
        stream = Stream(asyncio.get_running_loop())
        for _ in range(MAX_AHEAD):
            stream.send_paced(Empty())
        with pytest.raises(errors.Cancelled):
            stream.send_paced(Empty(), lambda: True)
        waiting = threading.Thread(target=stream.send_paced, args=(Empty(),))
        waiting.start()
        outgoing = stream.outgoing()
        for _ in range(MAX_AHEAD + 1):
            await asyncio.wait_for(anext(outgoing), 20)
        waiting.join(20)
        assert not waiting.is_alive()

    asyncio.run(main())


def test_who_waits_for_a_client_learns_that_the_stream_was_closed() -> None:
    async def main() -> None:
        stream = Stream(asyncio.get_running_loop())
        for _ in range(MAX_AHEAD):
            stream.send_paced(Empty())
        failure: list[errors.Error] = []

        def send() -> None:
            try:
                stream.send_paced(Empty())
            except errors.Error as error:
                failure.append(error)

        waiting = threading.Thread(target=send)
        waiting.start()
        await asyncio.to_thread(time.sleep, 0.05)
        stream.close()
        waiting.join(20)
        assert isinstance(failure[0], errors.Unavailable)

    asyncio.run(main())


def test_there_is_room_again_when_what_came_was_received() -> None:
    async def main() -> None:
        stream = Stream(asyncio.get_running_loop())
        stream.received(Packed(value=bytes(MAX_UNREAD - 1)))
        await asyncio.wait_for(stream.room(), 20)
        stream.received(Packed(value=b"xx"))
        waiting = asyncio.create_task(stream.room())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await asyncio.to_thread(stream.receive)
        await asyncio.wait_for(waiting, 20)

    asyncio.run(main())
