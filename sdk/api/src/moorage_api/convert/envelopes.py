"""Events in their envelopes: ``moorage_sdk.events.Envelope`` and ``containerd.types.Envelope``."""

from __future__ import annotations

from moorage_api.convert import payloads, timestamps
from moorage_api.messages import types
from moorage_sdk.events import Envelope


def from_message(message: types.Envelope) -> Envelope:
    """The value; its timestamp is 0 when none was sent. Raises errors.InvalidArgument for an impossible timestamp."""
    stamp = message.timestamp if message.HasField("timestamp") else None
    return Envelope(
        timestamp=timestamps.from_message(stamp),
        namespace=message.namespace,
        topic=message.topic,
        event=payloads.from_message(message.event),
    )


def to_message(envelope: Envelope) -> types.Envelope:
    """The message."""
    return types.Envelope(
        timestamp=timestamps.to_message(envelope.timestamp),
        namespace=envelope.namespace,
        topic=envelope.topic,
        event=payloads.to_message(envelope.event),
    )
