"""What an envelope must look like (``core/events/exchange/exchange.go`` in containerd)."""

from __future__ import annotations

from moorage_sdk import errors, identifiers
from moorage_sdk.events import Envelope


def validate(topic: str) -> None:
    """Raises errors.InvalidArgument for what is not ``/`` followed by identifiers with slashes between them."""
    if not topic:
        raise _invalid(topic, "must not be empty")
    if not topic.startswith("/"):
        raise _invalid(topic, "must start with '/'")
    if topic == "/":
        raise _invalid(topic, "must have at least one component")
    for component in topic[1:].split("/"):
        try:
            identifiers.validate(component)
        except errors.InvalidArgument as error:
            # The message of the cause ends in the verdict already.
            raise errors.InvalidArgument(
                f'envelope topic "{topic}": failed validation on component "{component}": {error.message}'
            ) from None


def validate_envelope(envelope: Envelope) -> None:
    """Raises errors.InvalidArgument for a forwarded event with a bad or missing namespace, topic or timestamp."""
    try:
        identifiers.validate(envelope.namespace)
    except errors.InvalidArgument as error:
        raise errors.InvalidArgument(f"event envelope has invalid namespace: {error.message}") from None
    validate(envelope.topic)
    if envelope.timestamp == 0:
        raise errors.InvalidArgument("timestamp must be set on forwarded event: invalid argument")


def _invalid(topic: str, why: str) -> errors.InvalidArgument:
    return errors.InvalidArgument(f'envelope topic "{topic}": {why}: invalid argument')
