"""Typed values: ``moorage_sdk.events.Payload`` and ``google.protobuf.Any``. The bytes are never looked into."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.any_pb2 import Any

from moorage_sdk.events import Payload


def from_message(message: Any) -> Payload:
    """The value."""
    return Payload(message.type_url, message.value)


def to_message(payload: Payload) -> Any:
    """The message."""
    return Any(type_url=payload.type_url, value=payload.value)


def from_map(messages: Mapping[str, Any]) -> dict[str, Payload]:
    """Extensions of a container or sandbox as values."""
    return {name: from_message(message) for name, message in messages.items()}


def to_map(payloads: Mapping[str, Payload]) -> dict[str, Any]:
    """Extensions of a container or sandbox as messages."""
    return {name: to_message(payload) for name, payload in payloads.items()}
