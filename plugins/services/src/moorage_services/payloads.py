"""``google.protobuf.Any`` and ``moorage_sdk.events.Payload``: typed bytes that hardly anybody here opens."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any

from moorage_sdk.events import Payload


def from_message(message: Any) -> Payload:
    return Payload(message.type_url, message.value)


def optional(message: Any) -> Payload | None:
    """None for an Any that is not there or says nothing; Go's clients send either."""
    return from_message(message) if message.type_url or message.value else None


def to_message(payload: Payload) -> Any:
    return Any(type_url=payload.type_url, value=payload.value)


def to_optional(payload: Payload | None) -> Any | None:
    """None for what is not there: the field of a message then stays absent."""
    return to_message(payload) if payload else None
