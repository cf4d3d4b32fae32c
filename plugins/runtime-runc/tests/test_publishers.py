from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from moorage_api.messages import events, ttrpc_events
from moorage_runtime_runc import publishers
from moorage_runtime_runc.journals import Journal
from moorage_runtime_runc.publishers import Publisher
from moorage_sdk import errors
from moorage_ttrpc import methods, servers


class Daemon:
    """Takes events, but only when it is in the mood."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.taken: list[int] = []
        self.failures: list[errors.Error] = []
        method = methods.Method(ttrpc_events.ForwardRequest.FromString, self.forward, Empty.SerializeToString)
        self.server = servers.Server({publishers.SERVICE: {"Forward": method}})

    async def forward(self, request: Any, call: Any) -> Any:
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(int(request.envelope.event.value[-1:] or b"0"))
        assert request.envelope.timestamp.seconds > 0
        return Empty()


def event(number: int) -> events.TaskOOM:
    return events.TaskOOM(container_id=str(number))


def send(publisher: Publisher, message: events.TaskOOM) -> None:
    publisher.send(publisher.prepare("ns", message))


def test_a_successor_knows_what_was_sent(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal(tmp_path / "j")
        publisher = Publisher(journal, None)
        send(publisher, event(1))
        sent = publisher.prepare("ns", event(2))
        publisher.send(sent)
        unsent = publisher.prepare("ns", event(3))
        journal.close()
        successor = Publisher(Journal(tmp_path / "j"), None)
        send(successor, event(4))  # takes the number that was meant for another
        assert successor.was_sent(sent) and not successor.was_sent(unsent)

    asyncio.run(main())


def test_events_wait_for_the_daemon_and_keep_their_order(tmp_path: Path) -> None:
    async def main() -> None:
        publisher = Publisher(Journal(tmp_path / "j"), tmp_path / "d")
        task = asyncio.create_task(publisher.run())
        for number in range(3):
            send(publisher, event(number))
        assert not await publisher.flush(0.1)
        daemon = Daemon(tmp_path / "d")
        daemon.failures = [errors.Unavailable("starting"), errors.Error("odd")]
        await daemon.server.serve(daemon.path)
        for number in range(3, 6):
            send(publisher, event(number))
        assert await publisher.flush(20)
        assert daemon.taken == [0, 1, 2, 3, 4, 5]
        await daemon.server.close()
        send(publisher, event(6))
        await asyncio.sleep(0.3)
        again = Daemon(tmp_path / "d")
        await again.server.serve(again.path)
        assert await publisher.flush(20)
        assert again.taken == [6]
        task.cancel()
        await again.server.close()

    asyncio.run(main())


def test_what_was_not_taken_outlives_the_monitor(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal(tmp_path / "j")
        publisher = Publisher(journal, None)
        send(publisher, event(1))
        send(publisher, event(2))
        journal.close()
        daemon = Daemon(tmp_path / "d")
        await daemon.server.serve(daemon.path)
        successor = Publisher(Journal(tmp_path / "j"), tmp_path / "d")
        assert successor.pending == 2
        task = asyncio.create_task(successor.run())
        send(successor, event(3))
        assert await successor.flush(20)
        assert daemon.taken == [1, 2, 3]
        task.cancel()
        await daemon.server.close()

    asyncio.run(main())


def test_an_event_that_is_refused_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    async def main() -> None:
        daemon = Daemon(tmp_path / "d")
        daemon.failures = [errors.InvalidArgument("bad topic")]
        await daemon.server.serve(daemon.path)
        publisher = Publisher(Journal(tmp_path / "j"), tmp_path / "d")
        task = asyncio.create_task(publisher.run())
        send(publisher, event(1))
        send(publisher, event(2))
        assert await publisher.flush(20)
        assert daemon.taken == [2]
        task.cancel()
        await daemon.server.close()

    asyncio.run(main())


def test_a_disk_that_fails_does_not_end_the_delivery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be noted as taken is sent once more by a successor, and the daemon knows its number."""

    async def main() -> None:
        daemon = Daemon(tmp_path / "d")
        await daemon.server.serve(daemon.path)
        journal = Journal(tmp_path / "j")
        publisher = Publisher(journal, tmp_path / "d")
        real = journal.acknowledge

        def failing(number: int) -> None:
            if number == 1:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(number)

        monkeypatch.setattr(journal, "acknowledge", failing)
        task = asyncio.create_task(publisher.run())
        send(publisher, event(1))
        send(publisher, event(2))
        assert await publisher.flush(20)
        assert daemon.taken == [1, 2]
        task.cancel()
        await daemon.server.close()

    asyncio.run(main())


def test_every_task_event_has_a_topic() -> None:
    names = {name for name in dir(events) if name.startswith("Task") and name != "TaskIO"}
    assert names == set(publishers.TOPICS)
