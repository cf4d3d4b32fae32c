"""Lives of containers as their events tell them, held against the order that containerd guarantees.

    async with lives.listening(client) as heard:
        ...
    heard.assert_told()

create < start < the exits of all execs < init's exit < delete; an exec is added, started and exits; nothing happens
twice, nothing after the end, and no event is older than the one before it (cmd/containerd-shim-runc-v2/task/service.go
in containerd v2.3). An id may have several lives, one after the other.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from moorage_api.convert import payloads, timestamps
from moorage_client.clients import Client
from moorage_sdk.events import Payload

PATIENCE = 60.0
"""Seconds for a subscription to stand, and for the last event to come."""

_BEGIN = "/lives/begin"


@dataclass
class Life:
    """One container between Create and Delete. ``pids`` by exec id, "" is init; ``running`` those without an exit."""

    pids: dict[str, int] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    started: bool = False
    paused: bool = False
    exit: Any = None


class Lives:
    """``faults`` are sentences; ``exits`` has the exit events by container and exec id, "" is init, oldest first."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.exits: dict[tuple[str, str], list[Any]] = defaultdict(list)
        self.deleted: dict[str, int] = defaultdict(int)
        self._lives: dict[str, Life] = {}
        self._latest: dict[str, int] = {}
        self._rules: dict[str, Callable[[Any, Life], str]] = {
            "TaskStart": _start,
            "TaskExecAdded": _exec_added,
            "TaskExecStarted": _exec_started,
            "TaskExit": self._exit,
            "TaskPaused": _paused,
            "TaskResumed": _resumed,
            "TaskDelete": self._delete,
        }

    def hear(self, at: int, event: Any) -> None:
        """The next event, stamped with ``at`` nanoseconds since the epoch. What is not about a task is passed over."""
        name = event.DESCRIPTOR.name
        if name not in self._rules and name != "TaskCreate":
            return
        id = event.container_id
        if at < self._latest.get(id, 0):
            self._fault(event, "is older than the event before it")
        self._latest[id] = at
        if name == "TaskCreate":
            if id in self._lives:
                self._fault(event, "there is one already")
            self._lives[id] = Life({"": event.pid}, running={""})
        elif id not in self._lives:
            self._fault(event, "there is none")
        elif fault := self._rules[name](event, self._lives[id]):
            self._fault(event, fault)

    def assert_told(self) -> None:
        """Raises AssertionError with every fault so far."""
        assert not self.faults, "\n".join(self.faults)

    @property
    def open(self) -> list[str]:
        """Containers that are not deleted yet."""
        return sorted(self._lives)

    def _exit(self, event: Any, life: Life) -> str:
        exec_id = "" if event.id == event.container_id else event.id
        self.exits[event.container_id, exec_id].append(event)
        if exec_id not in life.running:
            return f'"{exec_id}" does not run'
        life.running.discard(exec_id)
        if event.pid != life.pids[exec_id]:
            return f"pid {event.pid} and not {life.pids[exec_id]}"
        if not exec_id:
            life.exit = event
            return f"before those of {sorted(life.running)}" if life.running else ""
        return ""

    def _delete(self, event: Any, life: Life) -> str:
        del self._lives[event.container_id]
        self.deleted[event.container_id] += 1
        if life.exit is None:
            return "before the exit"
        told = (event.pid, event.exit_status, timestamps.from_message(event.exited_at))
        exited = (life.exit.pid, life.exit.exit_status, timestamps.from_message(life.exit.exited_at))
        return "" if told == exited else f"{told} and not as the exit, {exited}"

    def _fault(self, event: Any, verdict: str) -> None:
        words = [event.DESCRIPTOR.name, getattr(event, "id", ""), getattr(event, "exec_id", "")]
        self.faults.append(f'{" ".join(filter(None, words))} of "{event.container_id}": {verdict}')


def _start(event: Any, life: Life) -> str:
    if life.started or life.exit is not None:
        return "too late"
    life.started = True
    life.pids[""] = life.pids[""] or event.pid  # one that is restored from a checkpoint has none before
    return "" if event.pid == life.pids[""] else f"pid {event.pid} and not {life.pids['']}"


def _exec_added(event: Any, life: Life) -> str:
    if life.exit is not None:
        return "after init's exit"
    if event.exec_id in life.running:
        return "it runs"
    life.added.add(event.exec_id)
    return ""


def _exec_started(event: Any, life: Life) -> str:
    if event.exec_id not in life.added:
        return "it was not added"
    life.added.discard(event.exec_id)
    life.running.add(event.exec_id)
    life.pids[event.exec_id] = event.pid
    return "after init's exit" if life.exit is not None else ""


def _paused(event: Any, life: Life) -> str:
    if not life.started or life.exit is not None:
        return "it does not run"
    life.paused = True
    return ""


def _resumed(event: Any, life: Life) -> str:
    if not life.paused:
        return "it was not paused"
    life.paused = False
    return ""


@asynccontextmanager
async def listening(client: Client) -> AsyncIterator[Lives]:
    """Hears what is told in the client's namespace, at the end until every container is deleted."""
    lives, standing = Lives(), asyncio.Event()

    async def listen() -> None:
        async for envelope in client.events.subscribe():
            if envelope.topic == _BEGIN:
                standing.set()
            elif envelope.namespace == client.namespace:
                lives.hear(envelope.timestamp, payloads.decode(envelope.event))

    task = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(PATIENCE):
            while not standing.is_set():  # no answer says when a subscription stands
                await client.events.publish(_BEGIN, Payload("google.protobuf.Empty", b""))
                await asyncio.sleep(0.05)
        yield lives
        async with asyncio.timeout(PATIENCE):
            while lives.open:
                await asyncio.sleep(0.05)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
