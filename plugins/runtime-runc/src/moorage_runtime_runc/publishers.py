"""Sending events to the daemon: strictly in order, again and again until it has taken them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from pathlib import Path

from google.protobuf.message import Message

from moorage_api.convert import timestamps, typeurls
from moorage_api.messages import ttrpc_events, types
from moorage_runtime_runc.journals import Journal
from moorage_sdk import errors
from moorage_ttrpc import clients

log = logging.getLogger(__name__)

SERVICE = "containerd.services.events.ttrpc.v1.Events"
NUMBER = "moorage-event-number"
"""Metadata key with the event's number: a receiver that saw a number before answers without taking it again."""

TOPICS = {
    "TaskCreate": "/tasks/create",
    "TaskStart": "/tasks/start",
    "TaskExit": "/tasks/exit",
    "TaskDelete": "/tasks/delete",
    "TaskOOM": "/tasks/oom",
    "TaskPaused": "/tasks/paused",
    "TaskResumed": "/tasks/resumed",
    "TaskExecAdded": "/tasks/exec-added",
    "TaskExecStarted": "/tasks/exec-started",
    "TaskCheckpointed": "/tasks/checkpointed",
}
"""Topics of core/runtime/events.go by message name."""

_TIMEOUT = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


class Publisher:
    """``publish`` returns at once; ``run`` is the task that delivers."""

    def __init__(self, journal: Journal, address: Path | None) -> None:
        self._journal = journal
        self._address = address
        self._queue: deque[tuple[int, bytes]] = deque(journal.pending)
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._client: clients.Client | None = None
        self._retarget(bool(self._queue))

    @property
    def pending(self) -> int:
        """How many events the daemon has not acknowledged."""
        return len(self._queue)

    def publish(self, namespace: str, event: Message) -> None:
        """Queue an event, stamped with the present time. It is on disk when this returns. Raises OSError."""
        envelope = types.Envelope(
            timestamp=timestamps.to_message(time.time_ns()),
            namespace=namespace,
            topic=TOPICS[event.DESCRIPTOR.name],
            event=typeurls.pack(event),
        )
        data = ttrpc_events.ForwardRequest(envelope=envelope).SerializeToString()
        self._queue.append((self._journal.append(data), data))
        self._retarget(True)

    async def flush(self, timeout: float) -> bool:
        """Wait until everything was acknowledged, at most ``timeout`` seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), timeout)
        return not self._queue

    async def run(self) -> None:
        """Deliver until cancelled."""
        pause = _FIRST_PAUSE
        while True:
            await self._wake.wait()
            try:
                await self._deliver()
                pause = _FIRST_PAUSE
            except errors.Error as error:
                log.debug("event %d: not delivered yet: %s", self._queue[0][0], error)
                await self._disconnect()
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _deliver(self) -> None:
        while self._queue:
            number, data = self._queue[0]
            try:
                client = await self._connect()
                await client.call(SERVICE, "Forward", data, metadata=[(NUMBER, str(number))], timeout=_TIMEOUT)
            except errors.InvalidArgument:
                # It will never be taken, and behind it would wait all the others.
                log.exception("event %d: refused by the daemon, given up", number)
            self._queue.popleft()
            self._journal.acknowledge(number)
        self._retarget(False)

    async def _connect(self) -> clients.Client:
        if self._address is None:
            raise errors.Unavailable("events: no address to send them to")
        if self._client is None or self._client.closed:
            self._client = await clients.connect(self._address)
        return self._client

    async def _disconnect(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    def _retarget(self, waiting: bool) -> None:
        (self._wake if waiting else self._empty).set()
        (self._empty if waiting else self._wake).clear()
