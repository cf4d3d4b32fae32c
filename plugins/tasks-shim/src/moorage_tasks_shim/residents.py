"""What lives behind a shim, as the manager holds it: a bundle, a carrier, and the way to the shim."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle, Exit
from moorage_tasks_shim.carriers import Carrier
from moorage_tasks_shim.logs import ShimLog
from moorage_tasks_shim.records import Record
from moorage_tasks_shim.shims import Link


class Resident(ABC):
    """``link`` is None while the shim is looked for; ``ended`` is set when it is known to be dead.

    ``leaving`` says that the shim was told to go, so that its end is no loss; ``removed`` that this was deleted, for
    those who still hold it.
    """

    kind: ClassVar[str]
    """The word for it in messages."""
    orphans: ClassVar[str] = ""
    """The runtime that clears up a bundle that does not say whose it is."""

    def __init__(self, bundle: Bundle, record: Record, carrier: Carrier, log: ShimLog | None = None) -> None:
        self.bundle = bundle
        self.record = record
        self.carrier = carrier
        self.log = log
        self.link: Link | None = None
        self.ended: Exit | None = None
        self.leaving = False
        self.removed = False
        self._changed = asyncio.Event()

    @property
    def key(self) -> tuple[str, str]:
        return self.bundle.namespace, self.bundle.id

    @property
    def subject(self) -> str:
        return f'{self.kind} "{self.bundle.id}" in namespace "{self.bundle.namespace}"'

    def attach(self, link: Link | None) -> None:
        """The shim is at the other end of ``link`` from now on, or out of reach for a while."""
        self.link = link
        self._notify()

    def end(self, exited: Exit) -> None:
        """The shim is dead for good; who waited for the end gets ``exited``, everybody else errors.NotFound."""
        self.ended = exited
        self._notify()

    def remove(self) -> None:
        """It is deleted; everybody gets errors.NotFound."""
        self.removed = True
        self.attach(None)

    async def call(self, method: str, timeout: float | None = None, **fields: Any) -> Any:
        """Ask the shim. Raises errors.NotFound once it is gone, errors.Unavailable while it cannot be reached."""
        if self.ended or self.removed:
            raise self.gone()
        if self.link is None:
            raise errors.Unavailable(f"{self.subject}: its shim is being looked for: unavailable")
        return await self._call(self.link, method, timeout, fields)

    async def ask(self, method: str, **fields: Any) -> Any:
        """Ask something that may be asked twice: a lost connection is waited out."""
        while True:
            link = self.link
            try:
                return await self.call(method, **fields)
            except errors.Unavailable:
                if link is not None and not link.lost:
                    raise
            while self.link is link and not (self.ended or self.removed):
                await self._changed.wait()

    def gone(self) -> errors.NotFound:
        return errors.NotFound(f"{self.subject}: not found")

    @abstractmethod
    async def find(self) -> Endpoint | None:
        """The shim of an earlier daemon; None when it is known to be gone."""

    @abstractmethod
    async def greet(self, link: Link) -> None:
        """Raises errors.NotFound when the shim does not know it."""

    @abstractmethod
    async def clean_up(self) -> Exit:
        """Kill and remove what a dead shim left; how it ended, as far as can be told. Raises errors.Error."""

    @abstractmethod
    async def _call(self, link: Link, method: str, timeout: float | None, fields: dict[str, Any]) -> Any: ...

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Waits:
    """Waits of many callers, each one call to the shim: ttrpc cannot take back a call, so that callers that come and
    go would otherwise pile up there."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Exit]] = {}

    async def share(self, name: str, wait: Any) -> Exit:
        """What ``wait()`` returns. Cancelling ends this caller's wait only. One that is over is begun again."""
        running = self._running.get(name)
        if running is None:
            running = self._running[name] = asyncio.get_running_loop().create_task(wait())
            running.add_done_callback(lambda done: self._over(name, done))
        return await asyncio.shield(running)

    def forget(self, name: str) -> None:
        self._running.pop(name, None)

    def _over(self, name: str, done: asyncio.Task[Exit]) -> None:
        if self._running.get(name) is done:  # and not that of a process that has the name since
            del self._running[name]
        if not done.cancelled():
            done.exception()  # every caller may have gone by now, and nobody else look at it
