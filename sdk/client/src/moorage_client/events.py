"""The Events service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from moorage_api.convert import payloads, timestamps
from moorage_api.messages import events_service
from moorage_client.calls import Caller
from moorage_sdk import errors
from moorage_sdk.events import Envelope, Payload

SERVICE = "containerd.services.events.v1.Events"


class Events:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def publish(self, topic: str, event: Payload) -> None:
        """Send an event into the client's namespace. Raises errors.InvalidArgument for a bad topic."""
        request = events_service.PublishRequest(topic=topic, event=payloads.to_optional(event))
        await self._caller.call(SERVICE, "Publish", request)

    async def subscribe(self, filters: Sequence[str] = ()) -> AsyncIterator[Envelope]:
        """The events of all namespaces from now on, for as long as the iteration goes on.

        Filters are alternatives; fields are ``topic``, ``namespace`` and ``event.<field>``.
        """
        request = events_service.SubscribeRequest(filters=filters)
        async for message in self._caller.receive(SERVICE, "Subscribe", request):
            yield Envelope(
                timestamp=timestamps.from_message(message.timestamp),
                namespace=message.namespace,
                topic=message.topic,
                event=payloads.optional(message.event) or Payload("", b""),
            )


def fields(event: Payload) -> dict[str, Any]:
    """What an event says, by the names of its message's fields; of an unknown type only its name and size."""
    try:
        return _plain(payloads.decode(event))
    except (errors.NotFound, errors.InvalidArgument):
        return {"type_url": event.type_url, "size": len(event.value)}


def _plain(message: Message) -> dict[str, Any]:
    """Fields that are set. Not json_format's way: that gives up on an Any whose type has no descriptor."""
    return {field.name: _value(field, value) for field, value in message.ListFields()}


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {key: _single(each) for key, each in sorted(value.items())}
    if isinstance(value, (str, bytes, int, float, Message)):
        return _single(value)
    return [_single(each) for each in value]


def _single(value: Any) -> Any:
    if isinstance(value, AnyMessage):
        inner = payloads.optional(value)
        return {} if inner is None else {"type_url": inner.type_url, **fields(inner)}
    if isinstance(value, Timestamp):
        return value.ToJsonString()
    if isinstance(value, Message):
        return _plain(value)
    return value.hex() if isinstance(value, bytes) else value
