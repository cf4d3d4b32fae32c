"""Sending events to the daemon: strictly in order, again and again until it has taken them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass
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
_LAG = 0.002
"""Seconds by which an event comes after what it tells of. Else the answer to the call that brought it about would wait
until we have sent and the daemon has handled it: about 1 ms in a trace of one Create, not compared otherwise."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An event as it goes out, and its number; 0 is none."""

    number: int = 0
    data: bytes = b""


class Publisher:
    """``send`` returns at once; ``run`` is the task that delivers.

    To prepare and to send are two steps so that what an event tells of can be written down in between, together with
    the event: whenever we die, a successor knows whether it was sent.
    """

    def __init__(self, journal: Journal, address: Path | None) -> None:
        self._journal = journal
        self._inherited = journal.last
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

    def prepare(self, namespace: str, event: Message) -> Prepared:
        """An event stamped with the present time, and the number it has if it is the next to be sent."""
        envelope = types.Envelope(
            timestamp=timestamps.to_message(time.time_ns()),
            namespace=namespace,
            topic=TOPICS[event.DESCRIPTOR.name],
            event=typeurls.pack(event),
        )
        data = ttrpc_events.ForwardRequest(envelope=envelope).SerializeToString()
        return Prepared(self._journal.last + 1, data)

    def send(self, prepared: Prepared) -> None:
        """Queue a prepared event. It is on disk when this returns. Raises OSError."""
        self._queue.append((self._journal.append(prepared.data), prepared.data))
        self._retarget(True)

    def was_sent(self, prepared: Prepared) -> bool:
        """Whether an earlier monitor came to send what it had prepared, and had written down, before it died."""
        return prepared.number <= self._inherited

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
            await asyncio.sleep(_LAG)
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
            try:
                self._journal.acknowledge(number)
            except OSError:
                # A successor would send it again, which the daemon tells by its number; the next one covers it, too.
                log.exception("event %d: not noted as taken", number)
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
