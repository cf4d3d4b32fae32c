"""Typed values that travel inside other messages: ``moorage_sdk.events.Payload`` and ``google.protobuf.Any``."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from moorage_api.convert import typeurls
from moorage_sdk.events import Payload

_GOOGLE = "type.googleapis.com/"
"""The one prefix that is not part of the name; types of the OCI runtime specification have slashes of their own."""


def from_any(message: Any) -> Payload | None:
    """The value; an Any without a type is none."""
    return Payload(message.type_url.removeprefix(_GOOGLE), message.value) if message.type_url else None


def to_any(payload: Payload | None) -> Any | None:
    return None if payload is None else Any(type_url=payload.type_url, value=payload.value)


def of(message: Message) -> Payload:
    """A message as a payload, under its bare name."""
    packed = typeurls.pack(message)
    return Payload(packed.type_url, packed.value)


def decode(payload: Payload) -> Message:
    """The message in a payload. Raises errors.NotFound for an unknown type, errors.InvalidArgument for bad bytes."""
    return typeurls.unpack(Any(type_url=payload.type_url, value=payload.value))
