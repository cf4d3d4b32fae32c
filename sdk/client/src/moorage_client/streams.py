"""The Streaming service: named streams beside a request (progress, credentials, archives)."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from google.protobuf.message import Message

from moorage_api.calling import Stream
from moorage_api.convert import typeurls
from moorage_api.messages import streaming
from moorage_client.calls import Caller
from moorage_sdk import errors

SERVICE = "containerd.services.streaming.v1.Streaming"


class Named:
    """One stream: messages both ways, each packed into an Any."""

    def __init__(self, id: str, stream: Stream) -> None:
        self.id = id
        self._stream = stream

    async def send(self, message: Message) -> None:
        await self._stream.send(typeurls.pack(message))

    async def done_sending(self) -> None:
        """Tell the daemon that nothing more comes."""
        await self._stream.done_sending()

    async def receive(self) -> Message | None:
        """The next message, None after the last. One of a type nobody knows raises errors.NotFound."""
        packed = await self._stream.receive()
        return None if packed is None else typeurls.unpack(packed)


class Streams:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @asynccontextmanager
    async def open(self, purpose: str) -> AsyncIterator[Named]:
        """A new stream for the length of a ``with`` block, known to the daemon before the block begins.

        Raises errors.Unimplemented by a daemon without the service.
        """
        id = _fresh_id(purpose)
        async with self._caller.open(SERVICE, "Stream") as stream:
            await stream.send(typeurls.pack(streaming.StreamInit(id=id)))
            if await _acknowledged(stream) is None:
                raise errors.Aborted(f'stream "{id}": the daemon ended it: aborted')
            yield Named(id, stream)


async def _acknowledged(stream: Stream) -> Any:
    """The daemon answers the first message with an Any(Empty) once the id is registered."""
    return await stream.receive()


def _fresh_id(purpose: str) -> str:
    return f"{time.time_ns()}-{purpose}-{base64.urlsafe_b64encode(os.urandom(6)).decode()}"
