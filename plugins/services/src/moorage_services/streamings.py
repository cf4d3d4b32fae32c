"""``containerd.services.streaming.v1``: named streams that other services find by the names clients gave them.

A client opens a stream, says its name, waits for the answer, and then puts the name into a request, such as a transfer
that is to report its progress.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any as Typed

from google.protobuf.any_pb2 import Any
from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import typeurls
from moorage_api.messages import streaming
from moorage_sdk import errors
from moorage_services.calls import Call, Handler
from moorage_services.registers import Streams
from moorage_services.streams import Stream


class StreamService:
    """Registers the streams that clients open in ``streams``."""

    name = "containerd.services.streaming.v1.Streaming"

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def handlers(self) -> Mapping[str, Handler]:
        return {"Stream": self.stream}

    async def stream(self, requests: AsyncIterator[Any], call: Call) -> None:
        """Raises errors.InvalidArgument for a first message that is no StreamInit, errors.AlreadyExists for a name."""
        name = await _first(requests)
        stream = Stream(asyncio.get_running_loop(), call.lease)
        outgoing = stream.outgoing()  # before anybody can find the stream, and wait for its end
        registered = self._streams.register(call.namespace, name, stream)
        reading = asyncio.create_task(_pump(requests, stream))
        try:
            await call.send(typeurls.pack(Empty()))
            async for message in outgoing:
                await call.send(message)
        finally:
            self._streams.forget(registered)
            stream.close()
            stream.ended()
            reading.cancel()


async def _first(requests: AsyncIterator[Any]) -> str:
    async for request in requests:
        if typeurls.holds(request, streaming.StreamInit):
            message: Typed = typeurls.unpack(request)
            return str(message.id)
        raise errors.InvalidArgument(f'stream: first message is "{request.type_url}", not StreamInit: invalid argument')
    raise errors.InvalidArgument("stream: ended before its first message: invalid argument")


async def _pump(requests: AsyncIterator[Any], stream: Stream) -> None:
    try:
        async for request in requests:
            stream.received(request)
            await stream.room()
    finally:
        stream.received(None)
