"""Typed values inside other messages: ``moorage_sdk.events.Payload`` and ``google.protobuf.Any``."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from moorage_api.convert import typeurls
from moorage_sdk.events import Payload


def from_message(message: Any) -> Payload:
    """The value, its bytes unread."""
    return Payload(message.type_url, message.value)


def optional(message: Any) -> Payload | None:
    """None for an Any that is not there or says nothing; Go's clients send either."""
    return from_message(message) if message.type_url or message.value else None


def to_message(payload: Payload) -> Any:
    """The message."""
    return Any(type_url=payload.type_url, value=payload.value)


def to_optional(payload: Payload | None) -> Any | None:
    """None for what is not there: the field of a message then stays absent."""
    return to_message(payload) if payload else None


def from_map(messages: Mapping[str, Any]) -> dict[str, Payload]:
    """Extensions of a container or sandbox as values."""
    return {name: from_message(message) for name, message in messages.items()}


def to_map(payloads: Mapping[str, Payload]) -> dict[str, Any]:
    """Extensions of a container or sandbox as messages."""
    return {name: to_message(payload) for name, payload in payloads.items()}


def of(message: Message) -> Payload:
    """A message as a payload, under its bare name."""
    return from_message(typeurls.pack(message))


def decode(payload: Payload) -> Message:
    """The message in a payload. Raises errors.NotFound for an unknown type, errors.InvalidArgument for bad bytes."""
    return typeurls.unpack(to_message(payload))
